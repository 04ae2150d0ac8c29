#include "text/utf8.h"

namespace kvsplit::text {

bool is_space(char32_t c) {
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
}

Utf8Step next_utf8(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t first = byte(0);
    if (first < 0x80) return {Utf8State::kCharacter, 1, first};
    if (first < 0xc2 || first > 0xf4) return {Utf8State::kBroken, 1, 0};
    const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    // The second byte's range is what rules out overlong forms, surrogates and numbers beyond U+10FFFF.
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

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const Utf8Step step = next_utf8(text);
        if (step.state != Utf8State::kCharacter) return false;
        text.remove_prefix(step.length);
    }
    return true;
}

void append_utf8(char32_t c, std::string& out) {
    const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xc0 | (c >> 6));
        put(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        put(0xe0 | (c >> 12));
        put(0x80 | ((c >> 6) & 0x3f));
        put(0x80 | (c & 0x3f));
    } else {
        put(0xf0 | (c >> 18));
        put(0x80 | ((c >> 12) & 0x3f));
        put(0x80 | ((c >> 6) & 0x3f));
        put(0x80 | (c & 0x3f));
    }
}

std::string_view strip_left(std::string_view text) {
    while (!text.empty()) {
        const Utf8Step step = next_utf8(text);
        if (step.state != Utf8State::kCharacter || !is_space(step.code_point)) break;
        text.remove_prefix(step.length);
    }
    return text;
}

std::string_view strip_right(std::string_view text) {
    while (!text.empty()) {
        std::size_t length = 1;  // of the last character
        while (length < 4 && length < text.size() && (text[text.size() - length] & 0xc0) == 0x80) ++length;
        const Utf8Step step = next_utf8(text.substr(text.size() - length));
        if (step.state != Utf8State::kCharacter || step.length != length || !is_space(step.code_point)) break;
        text.remove_suffix(length);
    }
    return text;
}

std::string_view strip(std::string_view text) { return strip_right(strip_left(text)); }

}  // namespace kvsplit::text
