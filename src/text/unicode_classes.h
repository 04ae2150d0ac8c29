// Classes of characters as one version of Unicode has them, whatever version the system's PCRE2 has.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kvsplit::text {

// "16.0.0"
std::string_view unicode_version();

// The character to match patterns with instead of c: c itself, unless versions of PCRE2 disagree about its
// class. It is of c's class, takes as many bytes in UTF-8, and is in the same ranges that the patterns of
// pre-tokenizers name.
char32_t class_stand_in(char32_t c);

// The text to match patterns with, if that is another one: each character is replaced by its stand-in, and a
// byte that is not part of a character by one that is a symbol to patterns. Offsets stay.
std::optional<std::string> with_stand_ins(std::string_view text);

}  // namespace kvsplit::text
