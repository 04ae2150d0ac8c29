// The layout of weights packed for the matmul kernels. Shared by the packer and the kernels of all
// instruction sets.
//
// Rows form groups of 16 (the last is padded with zero rows), columns form k-groups of 32. A row group is one
// stream of codes and one of scales, both read front to back.
//
// Codes of a k-group, for integer formats: eight units of 64 bytes; unit u has the codes of 16 rows x columns
// 4u .. 4u+3 as [row][4], the operand of a 4-byte dot product. They are stored in planes of 8, 4, 2 and 1
// bits that add up to the width; the widest comes first and has the lowest bits:
//   8 bits: 8 x 64 bytes, one code per byte
//   4 bits: 4 x 64 bytes; byte i of the p-th holds unit 2p's code i in its low, unit 2p+1's in its high half
//   2 bits: 2 x 64 bytes; byte i of the h-th holds unit 4h+u's code i at bit 2u
//   1 bit:  8 x 64 bits; bit i of word u belongs to unit u's code i
// For float formats: the numbers themselves as [32 columns][16 rows].
// The value of a code is code - zero or, with a table of levels, levels[code] - zero.
//
// Scales; each [16] runs over the rows of the group:
//   kGroup         per k-group: f16 d[16]                      weight = d * code
//   kGroupMin      per k-group: f16 d[16], f16 m[16]           weight = d * code + m
//   kGroupE8M0     per k-group: u8 e[16]                       weight = 2^(e - 128) * code
//   kHalves        per 16 columns: f16 d[16]                   weight = d * code
//   kBlock         per 8 k-groups: f16 d[16]                   weight = d * code
//   kSuper         per 8 k-groups: f16 d[16], then per k-group i8 sc[16]
//                                                              weight = d * sc * code
//   kSuperMin      per 8 k-groups: f16 d[16], f16 dmin[16], then per k-group u8 sc[16], u8 mn[16]
//                                                              weight = d * sc * code - dmin * mn
//   kSuperHalves   per 8 k-groups: f16 d[16], then per 16 columns i8 sc[16]
//                                                              weight = d * sc * code
//   kSuperHalvesMin  per 8 k-groups: f16 d[16], f16 dmin[16], then per 16 columns u8 s[16], its low half sc,
//                    its high half mn                          weight = d * sc * code - dmin * mn
// A format may have a constant factor, a power of two, in all its scales. The numbers are those of the file,
// so every weight is exactly what the file's format defines.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gguf/levels.h"

namespace kvsplit::cpu {

inline constexpr int kRowGroup = 16;
inline constexpr int kKGroup = 32;

// What integer weights are multiplied with; float weights always meet f32.
enum class Activations : std::uint8_t {
    kInt8,   // rounded to int8, with a scale per k-group
    kInt16,  // rounded to int16, with a scale per k-group
    kF32,    // as they are, with dequantised weights
};

enum class PackedFormat : std::uint8_t {
    kQ4_0,
    kQ4_1,
    kQ5_0,
    kQ5_1,
    kQ8_0,
    kQ2_K,
    kQ3_K,
    kQ4_K,
    kQ5_K,
    kQ6_K,
    kIQ4_NL,
    kIQ4_XS,
    kMXFP4,
    kNVFP4,
    kTQ,  // TQ1_0 and TQ2_0
    kIQ2_XXS,
    kIQ2,  // IQ2_XS and IQ2_S
    kIQ3_XXS,
    kIQ3_S,
    kIQ1_S,
    kIQ1_M,
    kQ1_0,
    kF16,
    kBF16,
    kF32
};
inline constexpr int kPackedFormats = 25;
inline constexpr int kIntegerFormats = 22;  // the formats before kF16

enum class ScaleLayout : std::uint8_t {
    kNone,
    kGroup,
    kGroupMin,
    kGroupE8M0,
    kHalves,
    kBlock,
    kSuper,  // this and the layouts after it have numbers per 8 k-groups
    kSuperMin,
    kSuperHalves,
    kSuperHalvesMin
};

// Levels plus the zero point, since the dot product of bytes needs unsigned ones. If not used, codes are
// their own levels.
struct LevelTable {
    bool used = false;
    std::uint8_t level[16] = {};
};
template <int n>
constexpr LevelTable level_table(const std::int8_t (&levels)[n], int zero) {
    LevelTable table{.used = true};
    for (int i = 0; i < n; ++i) table.level[i] = static_cast<std::uint8_t>(levels[i] + zero);
    return table;
}
inline constexpr LevelTable kIq4Table = level_table(gguf::kIq4Levels, 128);
inline constexpr LevelTable kQ1Table = level_table(gguf::kQ1Levels, 1);
inline constexpr LevelTable kFp4Table = level_table(gguf::kFp4Levels, 16);
inline constexpr LevelTable kIq2Table = level_table(gguf::kIq2Levels, 64);
inline constexpr LevelTable kIq3XxsTable = level_table(gguf::kIq3XxsLevels, 64);
inline constexpr LevelTable kIq3STable = level_table(gguf::kIq3SLevels, 16);
inline constexpr LevelTable kIq1Table = level_table(gguf::kIq1Levels, 16);

struct FormatLayout {
    int bits;  // per code; 16 or 32 for the float formats
    int zero;  // subtracted from codes or levels; a power of two, or 0
    ScaleLayout scales;
    LevelTable levels{};
    float factor = 1;
};

constexpr FormatLayout layout_of(PackedFormat format) {
    switch (format) {
        case PackedFormat::kQ4_0:
            return {4, 8, ScaleLayout::kGroup};
        case PackedFormat::kQ4_1:
            return {4, 0, ScaleLayout::kGroupMin};
        case PackedFormat::kQ5_0:
            return {5, 16, ScaleLayout::kGroup};
        case PackedFormat::kQ5_1:
            return {5, 0, ScaleLayout::kGroupMin};
        case PackedFormat::kQ8_0:
            return {8, 128, ScaleLayout::kGroup};
        case PackedFormat::kQ2_K:
            return {2, 0, ScaleLayout::kSuperHalvesMin};
        case PackedFormat::kQ3_K:
            return {3, 4, ScaleLayout::kSuperHalves};
        case PackedFormat::kQ4_K:
            return {4, 0, ScaleLayout::kSuperMin};
        case PackedFormat::kQ5_K:
            return {5, 0, ScaleLayout::kSuperMin};
        case PackedFormat::kQ6_K:
            return {6, 32, ScaleLayout::kSuperHalves};
        case PackedFormat::kIQ4_NL:
            return {4, 128, ScaleLayout::kGroup, kIq4Table};
        case PackedFormat::kIQ4_XS:
            return {4, 128, ScaleLayout::kSuper, kIq4Table};
        case PackedFormat::kMXFP4:
            return {4, 16, ScaleLayout::kGroupE8M0, kFp4Table};
        case PackedFormat::kNVFP4:
            return {4, 16, ScaleLayout::kHalves, kFp4Table, 128};
        case PackedFormat::kTQ:
            return {2, 1, ScaleLayout::kBlock};
        case PackedFormat::kIQ2_XXS:
            return {3, 64, ScaleLayout::kSuper, kIq2Table, 0.125f};
        case PackedFormat::kIQ2:
            return {3, 64, ScaleLayout::kSuperHalves, kIq2Table, 0.125f};
        case PackedFormat::kIQ3_XXS:
            return {4, 64, ScaleLayout::kSuper, kIq3XxsTable, 0.25f};
        case PackedFormat::kIQ3_S:
            return {4, 16, ScaleLayout::kSuper, kIq3STable};
        case PackedFormat::kIQ1_S:
            return {3, 16, ScaleLayout::kSuper, kIq1Table, 0.125f};
        case PackedFormat::kIQ1_M:
            return {3, 16, ScaleLayout::kSuperHalves, kIq1Table, 0.125f};
        case PackedFormat::kQ1_0:
            return {1, 1, ScaleLayout::kGroup, kQ1Table};
        case PackedFormat::kF16:
        case PackedFormat::kBF16:
            return {16, 0, ScaleLayout::kNone};
        case PackedFormat::kF32:
            break;
    }
    return {32, 0, ScaleLayout::kNone};
}

constexpr bool is_integer(PackedFormat format) { return format < PackedFormat::kF16; }

// Whether weights have an offset. It is added even if it is 0, since it decides the sign of a zero.
constexpr bool has_min(ScaleLayout scales) {
    return scales == ScaleLayout::kGroupMin || scales == ScaleLayout::kSuperMin ||
           scales == ScaleLayout::kSuperHalvesMin;
}

// Whether scales are integers with an f16 factor per 8 k-groups.
constexpr bool is_super(ScaleLayout scales) { return scales >= ScaleLayout::kSuper; }

// The value of a code, without scale.
constexpr int code_value(FormatLayout layout, unsigned code) {
    return (layout.levels.used ? layout.levels.level[code] : static_cast<int>(code)) - layout.zero;
}

// The largest unsigned code or level.
constexpr int largest_level(FormatLayout layout) {
    int largest = 0;
    for (unsigned code = 0; code < 1u << layout.bits; ++code) {
        const int level = code_value(layout, code) + layout.zero;
        largest = level > largest ? level : largest;
    }
    return largest;
}

// Bytes of one row group's k-group of codes.
constexpr std::size_t code_bytes(FormatLayout layout) {
    return static_cast<std::size_t>(layout.bits) * kRowGroup * kKGroup / 8;
}

// Offset of k-group g's scales in a row group's stream; for the super layouts, of their block of 8 k-groups.
constexpr std::size_t scale_offset(ScaleLayout scales, int g) {
    const std::size_t i = static_cast<std::size_t>(g), block = i / 8;
    switch (scales) {
        case ScaleLayout::kNone:
            return 0;
        case ScaleLayout::kGroup:
            return i * 32;
        case ScaleLayout::kGroupMin:
            return i * 64;
        case ScaleLayout::kGroupE8M0:
            return i * 16;
        case ScaleLayout::kHalves:
            return i * 64;
        case ScaleLayout::kBlock:
            return block * 32;
        case ScaleLayout::kSuper:
            return block * 160;
        case ScaleLayout::kSuperMin:
        case ScaleLayout::kSuperHalvesMin:
            return block * 320;
        case ScaleLayout::kSuperHalves:
            break;
    }
    return block * 288;
}

}  // namespace kvsplit::cpu
