// Character classes of one Unicode version, independent of the system's PCRE2.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kvsplit::text {

// "16.0.0"
std::string_view unicode_version();

// The character to match patterns with in place of c: c itself, unless PCRE2 versions disagree about its
// class. It has c's class and UTF-8 length, and lies in the same ranges of the pre-tokenizers' patterns.
char32_t class_stand_in(char32_t c);

// The text to match patterns with, if different: each character is replaced by its stand-in, and a stray byte
// by one that patterns treat as a symbol. Offsets do not change.
std::optional<std::string> with_stand_ins(std::string_view text);

}  // namespace kvsplit::text
