// Space marks: SentencePiece writes a space as U+2581.
#pragma once

#include <string>
#include <string_view>

namespace kvsplit::text {

inline constexpr std::string_view kSpaceMark = "\xe2\x96\x81";

// Spaces become marks.
std::string with_space_marks(std::string_view text);
// Marks become spaces.
std::string with_spaces(std::string_view text);

}  // namespace kvsplit::text
