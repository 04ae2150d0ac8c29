// Packed weight formats: dequantisation, and decomposition into codes and scales. block_structs.h has their
// layouts. dequantize_row() gives the same bits as the `gguf` Python package (NaN compares as NaN), which
// defines what a file means.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "gguf/tensor_type.h"

namespace kvsplit::gguf {

// Dequantises a row of n elements (a multiple of block_size(type)) from src, of any alignment, to dst (n).
// Throws Error(kUnsupported) unless is_supported(type).
void dequantize_row(TensorType type, const std::uint8_t* src, float* dst, std::int64_t n);

// How a scale is encoded.
enum class ScaleNumber : std::uint8_t {
    kF16,
    kE8M0,  // an exponent: 2^(bits - 128)
};
float scale_value(ScaleNumber number, std::uint16_t bits);

// How a block format decomposes into small unsigned codes with scales and offsets.
struct AffineSpec {
    int bits;   // 1 to 6, or 8: codes are below 1 << bits
    int group;  // elements per scale
    int zero;   // the code of the value 0: Q4_0 8, Q5_0 16, Q6_K 32, Q8_0 128 (its code is q + 128), else 0
    bool has_min;                              // blocks have an offset beside the scale
    bool super;                                // scales are d times an integer, with one d per 256 elements
    std::span<const std::int8_t> levels = {};  // (1 << bits) the codes' values; empty: code - zero
    float factor = 1;                          // of all scales; a power of two
    ScaleNumber number = ScaleNumber::kF16;    // of d

    constexpr int level(unsigned code) const {
        return levels.empty() ? static_cast<int>(code) - zero : levels[code];
    }
};
// nullopt for float types and unsupported types.
std::optional<AffineSpec> affine_spec(TensorType type);

// One row of n elements, decomposed. In float arithmetic, in this order and without fusing, the value i is
//   simple, no minimum:  scale_value(d[i/group]) * factor * level(codes[i])
//   simple, minimum:     scale_value(d[i/group]) * factor * level(codes[i]) + f16(m[i/group])
//   super, no minimum:   (f16(d[i/256]) * sc[i/group] * factor) * level(codes[i])
//   super, minimum:      (f16(d[i/256]) * sc[i/group] * factor) * level(codes[i])
//                            - f16(dmin[i/256]) * mn[i/group]
// exactly as dequantize_row() gives it. Vectors that a type does not have are empty.
struct AffineRow {
    std::vector<std::uint8_t> codes;  // (n)
    std::vector<std::uint16_t> d;     // (n/group), super (n/256): bits of a ScaleNumber
    std::vector<std::uint16_t> m;     // (n/group): f16 bits, added
    std::vector<std::uint16_t> dmin;  // (n/256): f16 bits
    std::vector<std::int8_t> sc;      // (n/group)
    std::vector<std::uint8_t> mn;     // (n/group)
};
// Reuses the vectors of `out`. Throws Error(kUnsupported) where affine_spec() is empty.
void unpack_row(TensorType type, const std::uint8_t* src, std::int64_t n, AffineRow& out);

}  // namespace kvsplit::gguf
