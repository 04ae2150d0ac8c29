#include "text/space_marks.h"

namespace kvsplit::text {

std::string with_space_marks(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 2);
    for (const char c : text) {
        if (c == ' ') {
            out += kSpaceMark;
        } else {
            out += c;
        }
    }
    return out;
}

std::string with_spaces(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t found; (found = text.find(kSpaceMark)) != std::string_view::npos;) {
        out += text.substr(0, found);
        out += ' ';
        text.remove_prefix(found + kSpaceMark.size());
    }
    return out += text;
}

}  // namespace kvsplit::text
