// Quantisation grids as data: the meaning of each width's codes, and how their scales are chosen.
//
// x is one group of channels of one token, c the grid values of its codes: x ~ scale * c. A search tries the
// starting step times each factor (rounded to f16), takes the nearest codes, and keeps those whose fitted
// scale leaves the least squared error; the rule then says which scale is stored.
#pragma once

#include <cstdint>

namespace kvsplit::codec {

enum class GridKind {
    // Midrise: c = code + 0.5, code in [-2^(b-1), 2^(b-1) - 1]; starting step max|x| / (2^(b-1) - 0.5).
    kUniform,
    // c = level / 127 from the width's table; starting step rms(x) * top.
    kLloydMax,
};

enum class ScaleRule {
    kStep,          // the step used to pick the codes
    kLeastSquares,  // s_ls = <x,c> / <c,c>
    kUnbiased,      // s_ub = <x,x> / <x,c>, so that <scale * c, x> = <x, x>
    kMixed,         // sqrt(s_ls * s_ub)
};

// The levels of a symmetric table of 2^b int8 entries. Quantisation of u >= 0: cell = min(floor(8 u), 7),
// then the upper level of the cell if u > threshold[cell], else the lower one. (No cell holds two thresholds,
// so this is the nearest level, ties to the smaller magnitude.) Zero and negative u take the mirrored,
// negative level.
struct LevelTable {
    std::int8_t levels[16];  // ascending, the first 2^b are used; value = level / 127
    float top;               // the largest level in units of the standard deviation, before scaling to 127
    float threshold[8];      // by cell; 1e30 in cells without one
    float lower[8];          // by cell: magnitude of the level below the threshold
    float upper[8];          // by cell: magnitude of the level above it
    std::int32_t index[8];   // by cell: index of `lower` among the positive levels, from 0
};

struct GridPolicy {
    int bits;
    GridKind kind;
    ScaleRule rule;
    int n_factors;
    float factors[8];
    const LevelTable* table;  // null for kUniform
};

// The recipe for a width; without search, its grid with the starting step as the scale. Aborts for a width
// without codes: call check_width() first.
const GridPolicy& key_policy(int bits, bool search);
const GridPolicy& value_policy(int bits, bool search);

// The tables that codes of 4, 3 and 2 bits index, on both sides.
extern const LevelTable kLloydMax4, kLloydMax3, kLloydMax2;
constexpr const std::int8_t* lloyd_max(int bits) {
    return (bits == 4 ? kLloydMax4 : bits == 3 ? kLloydMax3 : kLloydMax2).levels;
}

}  // namespace kvsplit::codec
