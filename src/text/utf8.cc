#include "text/utf8.h"

namespace kvsplit::text {

bool is_space(char32_t c) {
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
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
