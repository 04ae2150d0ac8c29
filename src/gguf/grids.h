// Grids of the IQ1, IQ2 and IQ3 weight types: the groups of eight or four magnitudes that a code can select.
#pragma once

#include <array>
#include <cstdint>

namespace kvsplit::gguf {

// Eight coordinates, 0 to 2: coordinate k of point i is at bits 2k and 2k + 1 of element i.
extern const std::array<std::uint16_t, 256> kIq2XxsGrid;
extern const std::array<std::uint16_t, 512> kIq2XsGrid;
extern const std::array<std::uint16_t, 1024> kIq2SGrid;
extern const std::array<std::uint16_t, 2048> kIq1Grid;
// Four coordinates, 0 to 7, at bits 3k to 3k + 2.
extern const std::array<std::uint16_t, 256> kIq3XxsGrid;
extern const std::array<std::uint16_t, 512> kIq3SGrid;

}  // namespace kvsplit::gguf
