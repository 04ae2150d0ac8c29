#include "text/jinja/text_search.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "text/jinja/runtime.h"
#include "text/jinja/template_error.h"
#include "text/utf8.h"

namespace kvsplit::text::jinja {

std::size_t find_text(std::string_view text, std::string_view part, std::size_t from) {
    if (from > text.size()) return text.npos;
    if (part.empty()) return from;
    const void* found = ::memmem(text.data() + from, text.size() - from, part.data(), part.size());
    return found ? static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) : text.npos;
}

std::size_t find_last_text(Runtime& runtime, std::string_view text, std::string_view part) {
    runtime.charge(part.size() < 16 ? text.size() : text.size() / 16 * part.size());
    return text.rfind(part);
}

std::size_t byte_offset(const String& text, std::int64_t character) {
    if (character >= text.length()) return text.text.size();
    if (text.ascii()) return static_cast<std::size_t>(character);
    const std::string_view all = text.text;
    std::size_t at = 0;
    for (std::int64_t i = 0; i < character; ++i) at += next_utf8(all.substr(at)).length;
    return at;
}

std::int64_t character_index(const String& text, std::size_t byte) {
    if (text.ascii()) return static_cast<std::int64_t>(byte);
    const std::string_view all = text.text;
    std::int64_t index = 0;
    for (std::size_t at = 0; at < byte; ++index) at += next_utf8(all.substr(at)).length;
    return index;
}

SliceRange slice_range(std::int64_t length, std::optional<std::int64_t> start,
                       std::optional<std::int64_t> stop, std::optional<std::int64_t> step) {
    SliceRange out{0, 0, step.value_or(1), 0};
    if (out.step == 0) refuse("slice step cannot be zero");
    out.step = std::max(out.step, -std::numeric_limits<std::int64_t>::max());
    const bool forwards = out.step > 0;
    const std::int64_t lowest = forwards ? 0 : -1, highest = forwards ? length : length - 1;
    const auto place = [&](std::int64_t index) {
        return std::clamp(index < 0 ? index + length : index, lowest, highest);
    };
    out.start = start ? place(*start) : forwards ? 0 : length - 1;
    out.stop = stop ? place(*stop) : forwards ? length : -1;
    const std::int64_t distance = forwards ? out.stop - out.start : out.start - out.stop;
    const std::int64_t stride = forwards ? out.step : -out.step;
    out.count = distance > 0 ? (distance - 1) / stride + 1 : 0;
    return out;
}

}  // namespace kvsplit::text::jinja
