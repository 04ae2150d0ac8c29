// The blocks of packed weight formats as they lie in a file.
//
// A row of a tensor is a sequence of blocks without padding. All fields are bytes, so a block needs no
// alignment; f16 fields are two bytes, little-endian.
#pragma once

#include <cstdint>

namespace kvsplit::gguf {

// value[i] = d * (q - 8), q in 0..15. 4.5 bits per element; the range is lopsided: -8 d to 7 d.
struct BlockQ4_0 {
    static constexpr int kSize = 32;
    std::uint8_t d[2];    // f16 scale, may be negative
    std::uint8_t qs[16];  // qs[j]: q[j] in the low half, q[j + 16] in the high half
};

// value[i] = d * q + m, q in 0..15. 5 bits per element.
struct BlockQ4_1 {
    static constexpr int kSize = 32;
    std::uint8_t d[2];    // f16 scale
    std::uint8_t m[2];    // f16 minimum, added
    std::uint8_t qs[16];  // as Q4_0
};

// value[i] = d * (q - 16), q in 0..31. 5.5 bits per element.
struct BlockQ5_0 {
    static constexpr int kSize = 32;
    std::uint8_t d[2];    // f16 scale
    std::uint8_t qh[4];   // little-endian u32: bit i is bit 4 of q[i]
    std::uint8_t qs[16];  // low four bits, as Q4_0
};

// value[i] = d * q + m, q in 0..31. 6 bits per element.
struct BlockQ5_1 {
    static constexpr int kSize = 32;
    std::uint8_t d[2];  // f16 scale
    std::uint8_t m[2];  // f16 minimum, added
    std::uint8_t qh[4];
    std::uint8_t qs[16];
};

// value[i] = d * q, q in -128..127 (writers use -127..127). 8.5 bits per element.
struct BlockQ8_0 {
    static constexpr int kSize = 32;
    std::uint8_t d[2];    // f16 scale
    std::uint8_t qs[32];  // signed
};

// value[i] = (d * sc[i / 16]) * q - dmin * mn[i / 16], q in 0..3, sc and mn in 0..15. 2.625 bits per element.
struct BlockQ2_K {
    static constexpr int kSize = 256;
    std::uint8_t scales[16];  // sc in the low half, mn in the high half
    std::uint8_t qs[64];      // half h: bits 2 k, 2 k + 1 of qs[32 h + j] are q[128 h + 32 k + j]
    std::uint8_t d[2];        // f16 scale of the scales
    std::uint8_t dmin[2];     // f16 scale of the minima, which are subtracted
};

// value[i] = (d * sc[i / 16]) * (q - 4), q in 0..7, sc in -32..31. 3.4375 bits per element.
struct BlockQ3_K {
    static constexpr int kSize = 256;
    std::uint8_t hmask[32];  // bit g of hmask[j] is bit 2 of q[32 g + j]
    std::uint8_t qs[64];     // low two bits, as Q2_K
    // Sixteen 6-bit sc + 32. Bytes 0-7: low four bits of sc[0..7] in the low half, of sc[8..15] in the high
    // half; bits 2 k, 2 k + 1 of bytes 8-11 are the upper two bits of sc[4 k .. 4 k + 3].
    std::uint8_t scales[12];
    std::uint8_t d[2];  // f16 scale of the scales
};

// value[i] = (d * sc[i / 32]) * q - dmin * mn[i / 32], q in 0..15, sc and mn in 0..63. 4.5 bits per element.
struct BlockQ4_K {
    static constexpr int kSize = 256;
    std::uint8_t d[2];     // f16 scale of the scales
    std::uint8_t dmin[2];  // f16 scale of the minima, which are subtracted
    // Eight 6-bit pairs (sc, mn). Bytes 0-3: sc[0..3] in the low six bits, 4-7: mn[0..3] likewise; bytes
    // 8-11: low four bits of sc[4..7] in the low half, of mn[4..7] in the high half. Their upper two bits are
    // on top of bytes 0-3 (sc) and 4-7 (mn).
    std::uint8_t scales[12];
    std::uint8_t qs[128];  // qs[32 c + j]: q[64 c + j] in the low half, q[64 c + 32 + j] in the high half
};

// As Q4_K with q in 0..31. 5.5 bits per element.
struct BlockQ5_K {
    static constexpr int kSize = 256;
    std::uint8_t d[2];
    std::uint8_t dmin[2];
    std::uint8_t scales[12];  // as Q4_K
    std::uint8_t qh[32];      // bit g of qh[j] is bit 4 of q[32 g + j]
    std::uint8_t qs[128];     // low four bits, as Q4_K
};

// value[i] = (d * sc[i / 16]) * (q - 32), q in 0..63. 6.5625 bits per element.
struct BlockQ6_K {
    static constexpr int kSize = 256;
    std::uint8_t ql[128];  // low four bits; half h: ql[64 h + j] has q[128 h + j] low, q[128 h + 64 + j] high
    std::uint8_t qh[64];   // upper two bits: bits 2 k, 2 k + 1 of qh[32 h + j] belong to q[128 h + 32 k + j]
    std::uint8_t sc[16];   // signed 8-bit scales
    std::uint8_t d[2];     // f16 scale of the scales
};

// value[i] = d * level[q[i]], the sixteen levels being kIq4Levels. 4.5 bits per element.
struct BlockIQ4_NL {
    static constexpr int kSize = 32;
    std::uint8_t d[2];    // f16 scale
    std::uint8_t qs[16];  // as Q4_0
};

// value[i] = (d * sc[i / 32]) * level[q[i]], sc in -32..31, levels as IQ4_NL. 4.25 bits per element.
struct BlockIQ4_XS {
    static constexpr int kSize = 256;
    std::uint8_t d[2];         // f16 scale of the scales
    std::uint8_t scales_h[2];  // little-endian u16: bits 2 g, 2 g + 1 are the upper two bits of sc[g] + 32
    std::uint8_t scales_l[4];  // low four bits: sc[2 g] in the low half of byte g, sc[2 g + 1] in the high
    std::uint8_t qs[128];      // sixteen bytes per group of 32, as Q4_0
};

// value[i] = 2^(e - 128) * level[q[i]], the levels being kFp4Levels: OCP's MXFP4. 4.25 bits per element.
struct BlockMXFP4 {
    static constexpr int kSize = 32;
    std::uint8_t e;       // the scale's exponent, E8M0
    std::uint8_t qs[16];  // as Q4_0
};

// value[i] = d[i / 16] * level[q[i]], levels as MXFP4. 4.5 bits per element.
struct BlockNVFP4 {
    static constexpr int kSize = 64;
    // Half the value of a float with four exponent bits (bias 7) and three mantissa bits; bit 7 is ignored,
    // and 0x7f means 0.
    std::uint8_t d[4];
    std::uint8_t qs[32];  // eight bytes per group of 16: low halves first, as Q4_0
};

// value[i] = d where bit i is set, else -d. 1.125 bits per element.
struct BlockQ1_0 {
    static constexpr int kSize = 128;
    std::uint8_t d[2];    // f16 scale
    std::uint8_t qs[16];  // bit i % 8 of qs[i / 8]
};

// value[i] = d * (q - 1), q in 0..2. 1.6875 bits per element.
struct BlockTQ1_0 {
    static constexpr int kSize = 256;
    // Five codes per byte (qh: four), the base-3 digits of the fraction byte / 256: repeatedly multiply it by
    // 3; the whole part is the next digit. q[32 n + j] is in qs[j], q[160 + 16 n + j] in qs[32 + j], q[240 +
    // 4 n + j] in qh[j].
    std::uint8_t qs[48];
    std::uint8_t qh[4];
    std::uint8_t d[2];  // f16 scale
};

// value[i] = d * (q - 1), q in 0..3 (writers use 0..2). 2.0625 bits per element.
struct BlockTQ2_0 {
    static constexpr int kSize = 256;
    std::uint8_t qs[64];  // as Q2_K
    std::uint8_t d[2];    // f16 scale
};

// The formats with grids (grids.h) encode eight weights (IQ3: four) as the index of a grid point. Signs take
// one bit per weight, or seven bits for eight weights with an even number of negative ones. All have an f16
// scale d of the scales, which are odd numbers 2 n + 1.

// value[i] = (d * (2 n[i / 32] + 1) / 8) * (+-level). 2.0625 bits per element.
struct BlockIQ2_XXS {
    static constexpr int kSize = 256;
    std::uint8_t d[2];
    // Eight bytes per group of 32: four points, then a little-endian u32 with four times seven signs and n on
    // top.
    std::uint8_t qs[64];
};

// As IQ2_XXS with n per 16 elements. 2.3125 bits per element.
struct BlockIQ2_XS {
    static constexpr int kSize = 256;
    std::uint8_t d[2];
    std::uint8_t qs[64];     // little-endian u16: nine bits of point, seven signs
    std::uint8_t scales[8];  // n, four bits each, low half first
};

// As IQ2_XXS with n per 16 elements. 2.5625 bits per element.
struct BlockIQ2_S {
    static constexpr int kSize = 256;
    std::uint8_t d[2];
    std::uint8_t qs[32];     // low eight bits of the point
    std::uint8_t signs[32];  // bit j of signs[i] belongs to weight 8 i + j
    std::uint8_t qh[8];      // upper two bits: bits 2 k, 2 k + 1 of qh[g] belong to point 4 g + k
    std::uint8_t scales[8];  // as IQ2_XS
};

// value[i] = (d * (2 n[i / 32] + 1) / 4) * (+-level). 3.0625 bits per element.
struct BlockIQ3_XXS {
    static constexpr int kSize = 256;
    std::uint8_t d[2];
    std::uint8_t qs[64];     // points
    std::uint8_t signs[32];  // little-endian u32 per group of 32: four times seven signs, and n on top
};

// value[i] = (d * (2 n[i / 32] + 1)) * (+-level). 3.4375 bits per element.
struct BlockIQ3_S {
    static constexpr int kSize = 256;
    std::uint8_t d[2];
    std::uint8_t qs[64];     // low eight bits of the point
    std::uint8_t qh[8];      // bit k of qh[g] is bit 8 of point 8 g + k
    std::uint8_t signs[32];  // as IQ2_S
    std::uint8_t scales[4];  // as IQ2_XS
};

// value[i] = (d * (2 n[i / 32] + 1)) * (coordinate - 1 +- 1/8). 1.5625 bits per element.
struct BlockIQ1_S {
    static constexpr int kSize = 256;
    std::uint8_t d[2];
    std::uint8_t qs[32];  // low eight bits of the point
    // Little-endian u16 per group of 32: upper three bits of four points, n in bits 12 to 14, and bit 15 for
    // -1/8.
    std::uint8_t qh[16];
};

// As IQ1_S with n per 16 elements, and a shift for every point. 1.75 bits per element.
struct BlockIQ1_M {
    static constexpr int kSize = 256;
    std::uint8_t qs[32];     // low eight bits of the point
    std::uint8_t qh[16];     // four bits per point, low half first: its upper three bits, and bit 3 for -1/8
    std::uint8_t scales[8];  // four little-endian u16: four times three bits n, and above them four bits of d
};

}  // namespace kvsplit::gguf
