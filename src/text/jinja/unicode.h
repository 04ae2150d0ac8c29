// The Unicode knowledge of Python's str methods: case and classes of characters.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvsplit::text::jinja {

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string title(std::string_view text);       // as str.title(): every run of letters
std::string capitalize(std::string_view text);  // the first character in title case, the rest in lower case
std::string swapcase(std::string_view text);

enum class CharacterClass { kAlpha, kAlnum, kDigit, kDecimal, kNumeric, kSpace, kPrintable, kIdentifier };
// Like str.isalpha() etc.: whether there are characters and all are of the class. (For the empty text
// identifier and printable do what Python does.)
bool is_all(std::string_view text, CharacterClass which);
bool is_lower(std::string_view text);
bool is_upper(std::string_view text);
bool is_title(std::string_view text);
bool is_printable(char32_t c);
// Letters, digits and underscores, like \w.
bool is_word_character(char32_t c);

// Lines without their ends unless keep_ends. Line ends are Python's, including form feeds and U+2028.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends = false);

}  // namespace kvsplit::text::jinja
