// How the matmul kernels read packed weights (packed_format.h): codes as units of 16 rows x 4 columns, and
// the 16 rows' scales. Part of a kernel translation unit (simd.h).
#pragma once

#include "backend/cpu/packed_format.h"
#include "backend/cpu/simd/simd.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

// ---- Codes

// The two units of a nibble pair share a load.
struct UnitPair {
    bytes64 even, odd;
};

// Unit u's two bits, at bit 2u of each byte, moved to bit `to`.
template <int u, int to>
KVSPLIT_INLINE bytes64 bit_pair(bytes64 plane) {
    const bytes64 mask = set1_byte(3 << to);
    if constexpr (2 * u < to) {
        return shift_left_bytes<to - 2 * u>(plane) & mask;
    } else if constexpr (2 * u > to) {
        return shift_right_bytes<2 * u - to>(plane) & mask;
    } else {
        return plane & mask;
    }
}

// Units 2 pair and 2 pair + 1 of the k-group at `p`, as unsigned codes.
template <int bits>
struct Codes {
    static constexpr int kFours = bits & 4 ? 256 : 0;  // bytes of the plane of 4 bits
    static constexpr int kPairs = bits & 2 ? 128 : 0;

    template <int pair>
    KVSPLIT_INLINE static UnitPair units(const std::uint8_t* p) {
        UnitPair w;
        if constexpr ((bits & 4) != 0) {
            const bytes64 nibbles = load_bytes(p + 64 * pair);
            w = {low_nibbles(nibbles), high_nibbles(nibbles)};
        }
        if constexpr ((bits & 2) != 0) {
            const bytes64 plane = load_bytes(p + kFours + 64 * (pair / 2));
            const UnitPair upper{bit_pair<2 * (pair % 2), bits & 4>(plane),
                                 bit_pair<2 * (pair % 2) + 1, bits & 4>(plane)};
            if constexpr ((bits & 4) != 0) {
                w = {w.even | upper.even, w.odd | upper.odd};
            } else {
                w = upper;
            }
        }
        if constexpr (bits == 1) w = {set1_byte(0), set1_byte(0)};
        if constexpr ((bits & 1) != 0) {
            const bytes64 bit = set1_byte(1 << (bits - 1));
            const std::uint8_t* plane = p + kFours + kPairs + 16 * pair;
            w = {add_where(load_mask64(plane), w.even, bit), add_where(load_mask64(plane + 8), w.odd, bit)};
        }
        return w;
    }
};

template <>
struct Codes<8> {
    template <int pair>
    KVSPLIT_INLINE static UnitPair units(const std::uint8_t* p) {
        return {load_bytes(p + 128 * pair), load_bytes(p + 128 * pair + 64)};
    }
};

// Codes or their levels, before the zero point is subtracted.
template <PackedFormat format>
struct WeightCodes {
    static constexpr FormatLayout kLayout = layout_of(format);

    template <int pair>
    KVSPLIT_INLINE static UnitPair units(const std::uint8_t* p) {
        const UnitPair w = Codes<kLayout.bits>::template units<pair>(p);
        if constexpr (!kLayout.levels.used) {
            return w;
        } else {
            const bytes64 table = load_table16(kLayout.levels.level);
            return {lookup16(table, w.even), lookup16(table, w.odd)};
        }
    }
};

// ---- Scales: weight = scale(h) * (code - zero), plus min(h) if kMin; h is the half of the k-group, 0 if
// kHalves is 1

KVSPLIT_INLINE const std::uint16_t* as_f16(const std::uint8_t* p) {
    return reinterpret_cast<const std::uint16_t*>(p);
}

template <ScaleLayout layout>
struct Scales;

// A stream with `bytes` of scales per k-group.
template <int bytes, int halves, bool min>
struct GroupStream {
    static constexpr int kHalves = halves;
    static constexpr bool kMin = min;
    const std::uint8_t* p;
    KVSPLIT_INLINE void next() { p += bytes; }
};

template <>
struct Scales<ScaleLayout::kGroup> : GroupStream<32, 1, false> {
    KVSPLIT_INLINE f32x16 scale(int) const { return load_f16(as_f16(p)); }
};

template <>
struct Scales<ScaleLayout::kGroupMin> : GroupStream<64, 1, true> {
    KVSPLIT_INLINE f32x16 scale(int) const { return load_f16(as_f16(p)); }
    KVSPLIT_INLINE f32x16 min(int) const { return load_f16(as_f16(p + 32)); }
};

template <>
struct Scales<ScaleLayout::kGroupE8M0> : GroupStream<16, 1, false> {
    // As a product of two powers, since the largest and the two smallest are not exponents of normal numbers.
    KVSPLIT_INLINE f32x16 scale(int) const {
        const i32x16 e = load_u8_i32(p), half = shift_right_logical<1>(e), offset = set1(std::int32_t{64});
        return power_of_two(half - offset) * power_of_two(e - half - offset);
    }
};

template <>
struct Scales<ScaleLayout::kHalves> : GroupStream<64, 2, false> {
    KVSPLIT_INLINE f32x16 scale(int h) const { return load_f16(as_f16(p + 32 * h)); }
};

// A stream with `bytes` of scales per 8 k-groups, which begin with the f16 numbers d and dmin. These are
// reloaded for every k-group: keeping them would cost two registers.
template <int bytes, int halves, bool min>
struct SuperStream {
    static constexpr int kHalves = halves;
    static constexpr bool kMin = min;
    const std::uint8_t* p;
    int g = 0;
    KVSPLIT_INLINE void next() {
        if (++g == 8) {
            g = 0;
            p += bytes;
        }
    }
    KVSPLIT_INLINE f32x16 d() const { return load_f16(as_f16(p)); }
    KVSPLIT_INLINE f32x16 dmin() const { return load_f16(as_f16(p + 32)); }
};

template <>
struct Scales<ScaleLayout::kBlock> : SuperStream<32, 1, false> {
    KVSPLIT_INLINE f32x16 scale(int) const { return d(); }
};

template <>
struct Scales<ScaleLayout::kSuper> : SuperStream<160, 1, false> {
    KVSPLIT_INLINE f32x16 scale(int) const {
        return d() * load_i8_f32(reinterpret_cast<const std::int8_t*>(p + 32 + 16 * g));
    }
};

template <>
struct Scales<ScaleLayout::kSuperMin> : SuperStream<320, 1, true> {
    KVSPLIT_INLINE f32x16 scale(int) const { return d() * to_f32(load_u8_i32(p + 64 + 32 * g)); }
    KVSPLIT_INLINE f32x16 min(int) const { return -(dmin() * to_f32(load_u8_i32(p + 80 + 32 * g))); }
};

template <>
struct Scales<ScaleLayout::kSuperHalves> : SuperStream<288, 2, false> {
    KVSPLIT_INLINE f32x16 scale(int h) const {
        return d() * load_i8_f32(reinterpret_cast<const std::int8_t*>(p + 32 + 32 * g + 16 * h));
    }
};

template <>
struct Scales<ScaleLayout::kSuperHalvesMin> : SuperStream<320, 2, true> {
    KVSPLIT_INLINE i32x16 pair(int h) const { return load_u8_i32(p + 64 + 32 * g + 16 * h); }
    KVSPLIT_INLINE f32x16 scale(int h) const { return d() * to_f32(pair(h) & set1(std::int32_t{15})); }
    KVSPLIT_INLINE f32x16 min(int h) const { return -(dmin() * to_f32(shift_right_logical<4>(pair(h)))); }
};

// Includes the format's factor.
template <PackedFormat format>
struct WeightScales : Scales<layout_of(format).scales> {
    KVSPLIT_INLINE f32x16 scale(int h) const {
        constexpr float factor = layout_of(format).factor;
        const f32x16 s = Scales<layout_of(format).scales>::scale(h);
        return factor == 1 ? s : s * set1(factor);
    }
};

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
