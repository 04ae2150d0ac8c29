// UTF-8, strictly by the standard: no surrogates, no overlong forms, nothing beyond U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvsplit::text {

enum class Utf8State {
    kCharacter,   // a whole character
    kBroken,      // bytes that can never become one
    kUnfinished,  // the text ends inside what may still become one
};

struct Utf8Step {
    Utf8State state = Utf8State::kBroken;
    std::size_t length = 0;   // bytes, at least 1; of a broken sequence its maximal valid beginning
    char32_t code_point = 0;  // of a character
};

// The step at the start of text, which must not be empty.
Utf8Step next_utf8(std::string_view text);

bool is_utf8(std::string_view text);

void append_utf8(char32_t code_point, std::string& out);

// White space as Python's str.strip() and str.isspace() see it.
bool is_space(char32_t code_point);

// Without white space at the start, at the end, at either end.
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
std::string_view strip(std::string_view text);

}  // namespace kvsplit::text
