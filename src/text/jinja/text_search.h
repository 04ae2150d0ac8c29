// Places in texts, in bytes and in characters.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

class Runtime;

// The first occurrence of part from `from` on, or npos. Linear time for all texts.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from = 0);
// The last occurrence of part. Charged by its worst case.
std::size_t find_last_text(Runtime& runtime, std::string_view text, std::string_view part);

// The byte at which a character begins; the size of the text if it is beyond the end.
std::size_t byte_offset(const String& text, std::int64_t character);
// How many characters begin before this byte.
std::int64_t character_index(const String& text, std::size_t byte);

// Python's slice of a sequence: first index, end index (excluded), step, number of elements.
struct SliceRange {
    std::int64_t start, stop, step, count;
};
// nullopt: not given. Refuses a step of 0.
SliceRange slice_range(std::int64_t length, std::optional<std::int64_t> start,
                       std::optional<std::int64_t> stop, std::optional<std::int64_t> step);

}  // namespace kvsplit::text::jinja
