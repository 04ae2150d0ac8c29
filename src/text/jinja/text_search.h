// Places in texts, in bytes and in characters.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

class Runtime;

// The first place of part from `from` on, npos if there is none. Takes linear time, whatever the texts are.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from = 0);
// The last place of part. Charged by what it may take.
std::size_t find_last_text(Runtime& runtime, std::string_view text, std::string_view part);

// Where the character with this number begins; the size of the text beyond its end.
std::size_t byte_offset(const String& text, std::int64_t character);
// How many characters begin before this byte.
std::int64_t character_index(const String& text, std::size_t byte);

// Python's slice of a sequence: the first index, the one that is no longer part of it, the distance from one
// to the next, and how many there are.
struct SliceRange {
    std::int64_t start, stop, step, count;
};
// Nothing: not given. Refuses a step of 0.
SliceRange slice_range(std::int64_t length, std::optional<std::int64_t> start,
                       std::optional<std::int64_t> stop, std::optional<std::int64_t> step);

}  // namespace kvsplit::text::jinja
