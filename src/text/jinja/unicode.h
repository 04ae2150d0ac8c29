// What Python's str methods know of Unicode: case, and classes of characters.
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
// As str.isalpha() and the like: whether there are characters and all are of the class. (Identifier and
// printable: also for the empty text, as far as Python says so.)
bool is_all(std::string_view text, CharacterClass which);
bool is_lower(std::string_view text);
bool is_upper(std::string_view text);
bool is_title(std::string_view text);
bool is_printable(char32_t c);
// Letters, digits and underscores, as \w has them.
bool is_word_character(char32_t c);

// Without the line ends, which are Python's: also form feeds, U+2028 and the like.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends = false);

}  // namespace kvsplit::text::jinja
