#include "gguf/grids.h"

#include <cstddef>

namespace kvsplit::gguf {
namespace {

#include "gguf/grid_points.inc"

// The points of a map in ascending order, one coordinate (digit in `base`) per `bits` bits.
template <std::size_t n, unsigned base, unsigned bits, std::size_t words>
constexpr std::array<std::uint16_t, n> expand(const std::uint64_t (&map)[words]) {
    std::array<std::uint16_t, n> points{};
    std::size_t count = 0;
    for (unsigned p = 0; p < 64 * words; ++p) {
        if (!(map[p / 64] >> p % 64 & 1)) continue;
        unsigned packed = 0, rest = p;
        for (unsigned at = 0; rest > 0; at += bits, rest /= base) packed |= rest % base << at;
        points[count++] = static_cast<std::uint16_t>(packed);
    }
    if (count != n) throw "a map has another number of points";
    return points;
}

}  // namespace

constexpr std::array<std::uint16_t, 256> kIq2XxsGrid = expand<256, 3, 2>(kIQ2_XXSPoints);
constexpr std::array<std::uint16_t, 512> kIq2XsGrid = expand<512, 3, 2>(kIQ2_XSPoints);
constexpr std::array<std::uint16_t, 1024> kIq2SGrid = expand<1024, 3, 2>(kIQ2_SPoints);
constexpr std::array<std::uint16_t, 2048> kIq1Grid = expand<2048, 3, 2>(kIQ1_SPoints);
constexpr std::array<std::uint16_t, 256> kIq3XxsGrid = expand<256, 8, 3>(kIQ3_XXSPoints);
constexpr std::array<std::uint16_t, 512> kIq3SGrid = expand<512, 8, 3>(kIQ3_SPoints);

}  // namespace kvsplit::gguf
