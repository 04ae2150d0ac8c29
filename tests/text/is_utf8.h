#pragma once

#include <string_view>

#include "text/utf8.h"

namespace kvsplit::text {

// Whether all of the text is well-formed UTF-8.
inline bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const Utf8Step step = next_utf8(text);
        if (step.state != Utf8State::kCharacter) return false;
        text.remove_prefix(step.length);
    }
    return true;
}

}  // namespace kvsplit::text
