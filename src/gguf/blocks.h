// Packed weight formats: layout, dequantisation, and decomposition into codes and scales.
//
// A row of a tensor is a sequence of blocks without padding. All fields are bytes, so that a block may stand
// at any address; f16 fields are two bytes, little-endian. dequantize_row() gives the same bits as the `gguf`
// Python package (NaN compares as NaN), which defines what a file means.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "gguf/tensor_type.h"

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

// Row of n elements (a multiple of block_size(type)) at src to dst (n). Throws Error(kUnsupported) for a type
// that is_supported() denies.
void dequantize_row(TensorType type, const std::uint8_t* src, float* dst, std::int64_t n);

// How a block format decomposes into small unsigned codes with scales and offsets.
struct AffineSpec {
    int bits;   // 4, 5, 6 or 8: codes are below 1 << bits
    int group;  // 32 or 16: elements per scale
    int zero;  // the code that stands for 0: Q4_0 8, Q5_0 16, Q6_K 32, Q8_0 128 (its code is q + 128), else 0
    bool has_min;  // there is an offset beside the scale
    bool super;    // scales are d times an integer, with one d per 256 elements
};
// nullopt for float types and unsupported types.
std::optional<AffineSpec> affine_spec(TensorType type);

// One row of n elements, decomposed. In float arithmetic, in this order and without fusing, the value i is
//   simple, no minimum:  f16(d[i/32]) * (codes[i] - zero)
//   simple, minimum:     f16(d[i/32]) * codes[i] + f16(m[i/32])
//   super, no minimum:   (f16(d[i/256]) * sc[i/group]) * (codes[i] - zero)
//   super, minimum:      (f16(d[i/256]) * sc[i/32]) * codes[i] - f16(dmin[i/256]) * mn[i/32]
// exactly as dequantize_row() gives it. Vectors that a type does not have are empty.
struct AffineRow {
    std::vector<std::uint8_t> codes;  // (n)
    std::vector<std::uint16_t> d;     // (n/32), super (n/256): f16 bits
    std::vector<std::uint16_t> m;     // (n/32): f16 bits, added
    std::vector<std::uint16_t> dmin;  // (n/256): f16 bits
    std::vector<std::int8_t> sc;      // (n/group): signed for Q6_K, else 0..63
    std::vector<std::uint8_t> mn;     // (n/32): 0..63
};
// Reuses the vectors of `out`. Throws Error(kUnsupported) where affine_spec() is empty.
void unpack_row(TensorType type, const std::uint8_t* src, std::int64_t n, AffineRow& out);

}  // namespace kvsplit::gguf
