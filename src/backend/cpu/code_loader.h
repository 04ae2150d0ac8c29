// Loads page codes of every width as operands of dot products: joins planes and looks up levels. Part of a
// kernel translation unit (simd.h).
#pragma once

#include "backend/cpu/simd/simd.h"
#include "codec/codec.h"
#include "codec/grid.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

enum Side { kKey, kValue };

// The field of w bits from bit `from` of every byte, moved to bit `to`.
template <int w, int from, int to>
KVSPLIT_INLINE bytes64 field(bytes64 x) {
    if constexpr (w == 8) return x;
    if constexpr (from > to) {
        x = shift_right_bytes<from - to>(x);
        if constexpr (from + w == 8 && to == 0) return x;
    }
    if constexpr (to > from) x = shift_left_bytes<to - from>(x);
    return x & set1_byte(((1 << w) - 1) << to);
}

// Codes of one width in planes (codec.h) as operands of dot4. A unit is four quads: 16 channels of keys, or
// 16 tokens of values. It is loaded in two halves, so that the operands of several vectors fit into
// registers.
template <int bits, Side side>
class CodeLoader {
  public:
    // Loads quad 4 unit + 2 half and the next. stride: bytes between the blocks of a plane. Widths with
    // tables yield levels, uniform 8 bits yield signed codes (keys: in the form of dot4_keys); 6 and 5 bits
    // stay as stored.
    template <int half>
    KVSPLIT_INLINE void load(const std::uint8_t* low, const std::uint8_t* high, std::ptrdiff_t unit,
                             std::ptrdiff_t stride, bytes64 (&out)[2]) const {
        constexpr codec::CodePlanes planes = codec::code_planes(bits);
        if constexpr (bits == 4) {
            const bytes64 x = load_bytes(low + (2 * unit + half) * stride);
            out[0] = lookup_low_nibbles(levels_, x);
            out[1] = lookup_high_nibbles(levels_, x);
            return;
        }
        low_plane<planes.low, half>(low, unit, stride, out);
        if constexpr (planes.high == 2) {
            const bytes64 x = load_bytes(high + unit * stride);
            out[0] = out[0] | field<2, half * 4, planes.low>(x);
            out[1] = out[1] | field<2, half * 4 + 2, planes.low>(x);
        }
        if constexpr (planes.high == 1) {
            bytes64 x = load_bytes(high + unit / 2 * stride);
            if (unit % 2 != 0) x = shift_right_bytes<4>(x);
            out[0] = out[0] | field<1, half * 2, planes.low>(x);
            out[1] = out[1] | field<1, half * 2 + 1, planes.low>(x);
        }
        if constexpr (bits == 8 && side == kKey && kKeyFlip == 0) {  // stored with the sign bit flipped
            out[0] = out[0] ^ set1_byte(0x80);
            out[1] = out[1] ^ set1_byte(0x80);
        }
        if constexpr (codec::has_levels(bits)) {
            out[0] = lookup16(levels_, out[0]);
            out[1] = lookup16(levels_, out[1]);
        }
    }

  private:
    static KVSPLIT_INLINE bytes64 levels() {
        if constexpr (codec::has_levels(bits)) {
            constexpr const std::int8_t* kLevels = codec::lloyd_max(bits);
            return load_table16(kLevels) ^ set1_byte(side == kKey ? kKeyFlip : 0);
        } else {
            return set1_byte(0);
        }
    }
    template <int w, int half>
    static KVSPLIT_INLINE void low_plane(const std::uint8_t* low, std::ptrdiff_t unit, std::ptrdiff_t stride,
                                         bytes64 (&out)[2]) {
        if constexpr (w == 8) {
            out[0] = load_bytes(low + (4 * unit + 2 * half) * stride);
            out[1] = load_bytes(low + (4 * unit + 2 * half + 1) * stride);
        } else if constexpr (w == 4) {
            const bytes64 x = load_bytes(low + (2 * unit + half) * stride);
            out[0] = field<4, 0, 0>(x);
            out[1] = field<4, 4, 0>(x);
        } else {
            const bytes64 x = load_bytes(low + unit * stride);
            out[0] = field<2, half * 4, 0>(x);
            out[1] = field<2, half * 4 + 2, 0>(x);
        }
    }
    bytes64 levels_ = levels();
};

// Codes of 6 and 5 bits are multiplied as stored: small and unsigned.
constexpr bool is_small(int bits) { return bits == 6 || bits == 5; }

// acc + key codes . query codes
template <int bits>
KVSPLIT_INLINE i32x16 dot_keys(i32x16 acc, bytes64 keys, bytes64 query) {
    return is_small(bits) ? dot4_small(acc, keys, query) : dot4_keys(acc, keys, query);
}
// acc + weights . value codes; small_weights: at most 7 bits
template <int bits, bool small_weights>
KVSPLIT_INLINE i32x16 dot_values(i32x16 acc, bytes64 weights, bytes64 values) {
    if constexpr (small_weights) return dot4_small(acc, weights, values);
    return is_small(bits) ? dot4_unsigned(acc, weights, values) : dot4(acc, weights, values);
}

// value = scale * kFactor * (operand - kZero)
template <int bits>
struct KeyGrid {
    // Products with a query's codes must be corrected by kZero times the sum of these codes. An integer kZero
    // is the sums' start value; a half is added to the sums.
    static constexpr bool kWhole = codec::has_levels(bits);
    static constexpr float kZero = kWhole           ? kKeyFlip
                                   : is_small(bits) ? static_cast<float>(1 << (bits - 1)) - 0.5f
                                                    : static_cast<float>(kKeyFlip) - 0.5f;
    static constexpr float kFactor = kWhole ? 1.0f / 127 : 1.0f;
};

// value = scale * kFactor * (operand + kOffset)
template <int bits>
struct ValueGrid {
    static constexpr float kFactor = codec::has_levels(bits) ? 1.0f / 127 : 1.0f;
    static constexpr float kOffset = codec::has_levels(bits) ? 0.0f
                                     : bits == 8             ? 0.5f
                                                             : 0.5f - static_cast<float>(1 << (bits - 1));
};

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
