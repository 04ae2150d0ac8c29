// How weights lie in memory once packed for the matmul kernels. Shared by the packer and the kernels of every
// set.
//
// Rows are taken in groups of 16 (the last is padded with zero rows), columns in k-groups of 32. A row group
// is one stream of codes and one of scales, both read front to back.
//
// Codes of a k-group, for integer formats: eight units of 64 bytes, unit u holding the codes of 16 rows x
// columns 4u .. 4u+3 as [row][4], which is what a 4-byte dot product takes. Kept compact:
//   4 bits: 4 x 64 bytes; byte i of the p-th holds unit 2p's code i in its low, unit 2p+1's in its high
//   nibble 5 bits: the same for the low four bits, then 8 x 64 bits: bit i of word u is the fifth bit of unit
//   u's code i 6 bits: the same for the low four bits, then 2 x 64 bytes: unit 4h+u's upper two bits at bit
//   2u of half h 8 bits: 8 x 64 bytes, one code (the signed value + 128) per byte
// For float formats: the numbers themselves as [32 columns][16 rows].
//
// Scales; each [16] runs over the rows of the group:
//   kGroup         per k-group: f16 d[16]                      weight = d * (code - zero)
//   kGroupMin      per k-group: f16 d[16], f16 m[16]           weight = d * code + m
//   kSuperMin      per 8 k-groups: f16 d[16], f16 dmin[16], then per k-group u8 sc[16], u8 mn[16]
//                                                              weight = d * sc * code - dmin * mn
//   kSuperHalves   per 8 k-groups: f16 d[16], then per 16 columns i8 sc[16]    weight = d * sc * (code -
//   zero)
// These are the numbers of the file; every weight is exactly what the file's format defines.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kvsplit::cpu {

inline constexpr int kRowGroup = 16;
inline constexpr int kKGroup = 32;

enum class PackedFormat : std::uint8_t {
    kQ4_0,
    kQ4_1,
    kQ5_0,
    kQ5_1,
    kQ8_0,
    kQ4_K,
    kQ5_K,
    kQ6_K,
    kF16,
    kBF16,
    kF32
};
inline constexpr int kPackedFormats = 11;
inline constexpr int kIntegerFormats = 8;  // those before kF16

enum class ScaleLayout : std::uint8_t { kNone, kGroup, kGroupMin, kSuperMin, kSuperHalves };

struct FormatLayout {
    int bits;  // per code; 16 or 32 for the float formats
    int zero;  // subtracted from codes
    ScaleLayout scales;
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
        case PackedFormat::kQ4_K:
            return {4, 0, ScaleLayout::kSuperMin};
        case PackedFormat::kQ5_K:
            return {5, 0, ScaleLayout::kSuperMin};
        case PackedFormat::kQ6_K:
            return {6, 32, ScaleLayout::kSuperHalves};
        case PackedFormat::kF16:
        case PackedFormat::kBF16:
            return {16, 0, ScaleLayout::kNone};
        case PackedFormat::kF32:
            break;
    }
    return {32, 0, ScaleLayout::kNone};
}

constexpr bool is_integer(PackedFormat format) { return format < PackedFormat::kF16; }

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
        case ScaleLayout::kSuperMin:
            return block * 320;
        case ScaleLayout::kSuperHalves:
            break;
    }
    return block * 288;
}

}  // namespace kvsplit::cpu
