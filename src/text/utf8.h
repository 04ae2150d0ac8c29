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
    std::size_t length = 0;   // bytes, at least 1; for a broken sequence, its maximal valid prefix
    char32_t code_point = 0;  // of a character
};

// The step at the start of text, which must not be empty.
inline Utf8Step next_utf8(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t first = byte(0);
    if (first < 0x80) return {Utf8State::kCharacter, 1, first};
    if (first < 0xc2 || first > 0xf4) return {Utf8State::kBroken, 1, 0};
    const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    // The second byte's range excludes overlong forms, surrogates and numbers beyond U+10FFFF.
    const std::uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const std::uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    char32_t code_point = first & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if (i == text.size()) return {Utf8State::kUnfinished, i, 0};
        if (byte(i) < (i == 1 ? low : 0x80) || byte(i) > (i == 1 ? high : 0xbf))
            return {Utf8State::kBroken, i, 0};
        code_point = (code_point << 6) | (byte(i) & 0x3fu);
    }
    return {Utf8State::kCharacter, length, code_point};
}

void append_utf8(char32_t code_point, std::string& out);

// White space as in Python's str.strip() and str.isspace().
bool is_space(char32_t code_point);

// Removes white space at the start, at the end, or at both ends.
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
std::string_view strip(std::string_view text);

}  // namespace kvsplit::text
