// NEON form of simd.h, with the dot products of ARMv8.2: four registers per type, lanes 4i to 4i + 3 in v[i].
// KVSPLIT_ISA_I8MM adds the product of unsigned and signed bytes. Included by simd.h only.
#pragma once

#include <arm_neon.h>

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

struct f32x16 {
    float32x4_t v[4];
};
struct i32x16 {
    int32x4_t v[4];
};
struct bytes64 {
    uint8x16_t v[4];
};
struct u16x32 {
    uint16x8_t v[4];
};
struct mask16 {
    uint32x4_t v[4];  // all bits of a lane set or clear
};
struct mask64 {
    uint8x16_t v[4];  // all bits of a byte set or clear
};

// result NAME(type a, ...): applies `op`, an intrinsic or a function, to each of the four registers.
#define KVSPLIT_EACH_OF_1(result, name, type, op) \
    KVSPLIT_INLINE result name(type a) { return {{op(a.v[0]), op(a.v[1]), op(a.v[2]), op(a.v[3])}}; }
#define KVSPLIT_EACH_OF_2(result, name, type, op)                                                  \
    KVSPLIT_INLINE result name(type a, type b) {                                                   \
        return {{op(a.v[0], b.v[0]), op(a.v[1], b.v[1]), op(a.v[2], b.v[2]), op(a.v[3], b.v[3])}}; \
    }
#define KVSPLIT_EACH_OF_3(result, name, type_a, type_b, type_c, op)                                  \
    KVSPLIT_INLINE result name(type_a a, type_b b, type_c c) {                                       \
        return {{op(a.v[0], b.v[0], c.v[0]), op(a.v[1], b.v[1], c.v[1]), op(a.v[2], b.v[2], c.v[2]), \
                 op(a.v[3], b.v[3], c.v[3])}};                                                       \
    }

// Loads, stores, constants
KVSPLIT_INLINE f32x16 load(const float* p) {
    return {{vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}};
}
KVSPLIT_INLINE i32x16 load(const std::int32_t* p) {
    return {{vld1q_s32(p), vld1q_s32(p + 4), vld1q_s32(p + 8), vld1q_s32(p + 12)}};
}
KVSPLIT_INLINE bytes64 load_bytes(const void* p) {
    const auto* b = static_cast<const std::uint8_t*>(p);
    return {{vld1q_u8(b), vld1q_u8(b + 16), vld1q_u8(b + 32), vld1q_u8(b + 48)}};
}
KVSPLIT_INLINE void store(float* p, f32x16 a) {
    for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, a.v[i]);
}
KVSPLIT_INLINE void store(std::int32_t* p, i32x16 a) {
    for (int i = 0; i < 4; ++i) vst1q_s32(p + 4 * i, a.v[i]);
}
KVSPLIT_INLINE void store_bytes(void* p, bytes64 a) {
    for (int i = 0; i < 4; ++i) vst1q_u8(static_cast<std::uint8_t*>(p) + 16 * i, a.v[i]);
}
KVSPLIT_INLINE f32x16 set1(float x) {
    const float32x4_t v = vdupq_n_f32(x);
    return {{v, v, v, v}};
}
KVSPLIT_INLINE i32x16 set1(std::int32_t x) {
    const int32x4_t v = vdupq_n_s32(x);
    return {{v, v, v, v}};
}
KVSPLIT_INLINE bytes64 set1_byte(int x) {
    const uint8x16_t v = vdupq_n_u8(static_cast<std::uint8_t>(x));
    return {{v, v, v, v}};
}
KVSPLIT_INLINE f32x16 zero_f32() { return set1(0.0f); }
KVSPLIT_INLINE i32x16 zero_i32() { return set1(std::int32_t{0}); }
KVSPLIT_INLINE mask16 mask_first(int n) {
    const int32x4_t index = {0, 1, 2, 3};
    return {{vcltq_s32(index, vdupq_n_s32(n)), vcltq_s32(index, vdupq_n_s32(n - 4)),
             vcltq_s32(index, vdupq_n_s32(n - 8)), vcltq_s32(index, vdupq_n_s32(n - 12))}};
}
// Each lane keeps its own bit, so that the sum is the mask.
KVSPLIT_INLINE unsigned mask_bits(mask16 m) {
    const uint32x4_t bit = {1, 2, 4, 8};
    const uint32x4_t low = vbslq_u32(vdupq_n_u32(0x0f), m.v[0], m.v[1]);
    const uint32x4_t high = vbslq_u32(vdupq_n_u32(0x0f), m.v[2], m.v[3]);
    const uint32x4_t bits = vorrq_u32(bit, vshlq_n_u32(bit, 4));
    return vaddvq_u32(vandq_u32(low, bits)) | vaddvq_u32(vandq_u32(high, bits)) << 8;
}
KVSPLIT_INLINE f32x16 load_first(const float* p, int n) {
    f32x16 r = zero_f32();
    std::memcpy(&r, p, static_cast<std::size_t>(n) * 4);
    return r;
}
KVSPLIT_INLINE void store_first(float* p, f32x16 a, int n) {
    std::memcpy(p, &a, static_cast<std::size_t>(n) * 4);
}

// Arithmetic of floats. The processor's maximum returns NaN if either operand is.
KVSPLIT_INLINE float32x4_t max_128(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
KVSPLIT_INLINE float32x4_t min_128(float32x4_t a, float32x4_t b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
KVSPLIT_INLINE float32x4_t fmadd_128(float32x4_t a, float32x4_t b, float32x4_t c) {
    return vfmaq_f32(c, a, b);
}
KVSPLIT_INLINE float32x4_t fnmadd_128(float32x4_t a, float32x4_t b, float32x4_t c) {
    return vfmsq_f32(c, a, b);
}
KVSPLIT_EACH_OF_2(f32x16, operator+, f32x16, vaddq_f32)
KVSPLIT_EACH_OF_2(f32x16, operator-, f32x16, vsubq_f32)
KVSPLIT_EACH_OF_2(f32x16, operator*, f32x16, vmulq_f32)
KVSPLIT_EACH_OF_2(f32x16, operator/, f32x16, vdivq_f32)
KVSPLIT_EACH_OF_1(f32x16, operator-, f32x16, vnegq_f32)
KVSPLIT_EACH_OF_1(f32x16, abs, f32x16, vabsq_f32)
KVSPLIT_EACH_OF_1(f32x16, sqrt, f32x16, vsqrtq_f32)
KVSPLIT_EACH_OF_2(f32x16, max, f32x16, max_128)
KVSPLIT_EACH_OF_2(f32x16, min, f32x16, min_128)
KVSPLIT_EACH_OF_3(f32x16, fmadd, f32x16, f32x16, f32x16, fmadd_128)
KVSPLIT_EACH_OF_3(f32x16, fnmadd, f32x16, f32x16, f32x16, fnmadd_128)

// Arithmetic of integers. They wrap, so they are done as unsigned: gcc implements the signed intrinsics as
// plain sums and products.
KVSPLIT_INLINE uint32x4_t as_unsigned(int32x4_t a) { return vreinterpretq_u32_s32(a); }
KVSPLIT_INLINE int32x4_t as_signed(uint32x4_t a) { return vreinterpretq_s32_u32(a); }
KVSPLIT_INLINE int32x4_t add_128(int32x4_t a, int32x4_t b) {
    return as_signed(vaddq_u32(as_unsigned(a), as_unsigned(b)));
}
KVSPLIT_INLINE int32x4_t sub_128(int32x4_t a, int32x4_t b) {
    return as_signed(vsubq_u32(as_unsigned(a), as_unsigned(b)));
}
KVSPLIT_INLINE int32x4_t mul_128(int32x4_t a, int32x4_t b) {
    return as_signed(vmulq_u32(as_unsigned(a), as_unsigned(b)));
}
template <int n>
KVSPLIT_INLINE int32x4_t shift_left_128(int32x4_t a) {
    return vshlq_n_s32(a, n);
}
template <int n>
KVSPLIT_INLINE int32x4_t shift_right_signed_128(int32x4_t a) {
    if constexpr (n == 0) return a;  // the instruction has no shift by 0
    return vshrq_n_s32(a, n == 0 ? 1 : n);
}
template <int n>
KVSPLIT_INLINE int32x4_t shift_right_logical_128(int32x4_t a) {
    if constexpr (n == 0) return a;
    return as_signed(vshrq_n_u32(as_unsigned(a), n == 0 ? 1 : n));
}
KVSPLIT_EACH_OF_2(i32x16, operator+, i32x16, add_128)
KVSPLIT_EACH_OF_2(i32x16, operator-, i32x16, sub_128)
KVSPLIT_EACH_OF_2(i32x16, operator*, i32x16, mul_128)
KVSPLIT_EACH_OF_2(i32x16, operator&, i32x16, vandq_s32)
KVSPLIT_EACH_OF_2(i32x16, operator|, i32x16, vorrq_s32)
KVSPLIT_EACH_OF_2(i32x16, operator^, i32x16, veorq_s32)
template <int n>
KVSPLIT_EACH_OF_1(i32x16, shift_left, i32x16, shift_left_128<n>)
template <int n>
KVSPLIT_EACH_OF_1(i32x16, shift_right_signed, i32x16, shift_right_signed_128<n>)
template <int n>
KVSPLIT_EACH_OF_1(i32x16, shift_right_logical, i32x16, shift_right_logical_128<n>)

// Comparison
KVSPLIT_EACH_OF_2(mask16, lt, f32x16, vcltq_f32) KVSPLIT_EACH_OF_2(mask16, le, f32x16, vcleq_f32)
    KVSPLIT_EACH_OF_2(mask16, eq, f32x16, vceqq_f32) KVSPLIT_EACH_OF_2(mask16, lt, i32x16, vcltq_s32)
        KVSPLIT_EACH_OF_2(mask16, eq, i32x16, vceqq_s32)
            KVSPLIT_EACH_OF_3(f32x16, select, mask16, f32x16, f32x16, vbslq_f32)
                KVSPLIT_EACH_OF_3(i32x16, select, mask16, i32x16, i32x16, vbslq_s32)

    // Lanes i and i ^ n exchanged
    KVSPLIT_INLINE float32x4_t swap_pairs(float32x4_t a) {
    return vextq_f32(a, a, 2);
}
KVSPLIT_EACH_OF_1(f32x16, swap_lanes_1, f32x16, vrev64q_f32)
KVSPLIT_EACH_OF_1(f32x16, swap_lanes_2, f32x16, swap_pairs)
template <int n>
KVSPLIT_INLINE f32x16 swap_lanes(f32x16 a) {
    if constexpr (n == 1) return swap_lanes_1(a);
    if constexpr (n == 2) return swap_lanes_2(a);
    if constexpr (n == 4) return {{a.v[1], a.v[0], a.v[3], a.v[2]}};
    return {{a.v[2], a.v[3], a.v[0], a.v[1]}};
}

// Powers of two
KVSPLIT_INLINE float32x4_t power_of_two_128(int32x4_t n) {  // -127 < n < 128
    return vreinterpretq_f32_s32(vshlq_n_s32(add_128(n, vdupq_n_s32(127)), 23));
}
KVSPLIT_INLINE float32x4_t fraction_128(float32x4_t a) { return vsubq_f32(a, vrndmq_f32(a)); }
KVSPLIT_INLINE float32x4_t times_power_128(float32x4_t a, float32x4_t b) {
    const uint32x4_t large = vcgeq_f32(b, vdupq_n_f32(-126.0f));
    const int32x4_t exponent = vshlq_n_s32(vcvtmq_s32_f32(b), 23);
    return vreinterpretq_f32_u32(vandq_u32(large, as_unsigned(add_128(vreinterpretq_s32_f32(a), exponent))));
}
KVSPLIT_EACH_OF_1(f32x16, power_of_two, i32x16, power_of_two_128)
KVSPLIT_EACH_OF_1(f32x16, fraction, f32x16, fraction_128)
KVSPLIT_EACH_OF_2(f32x16, times_power, f32x16, times_power_128)

// Reductions
KVSPLIT_INLINE float32x4_t max_to_4(f32x16 a) {
    return max_128(max_128(a.v[0], a.v[2]), max_128(a.v[1], a.v[3]));
}
KVSPLIT_INLINE int32x4_t add_to_4(i32x16 a) {
    return add_128(add_128(a.v[0], a.v[2]), add_128(a.v[1], a.v[3]));
}
KVSPLIT_INLINE float32x4_t add_to_4(f32x16 a) {
    return vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
}
KVSPLIT_INLINE float reduce_add(f32x16 a) {
    const float32x4_t h4 = add_to_4(a);
    return vpadds_f32(vadd_f32(vget_low_f32(h4), vget_high_f32(h4)));
}
KVSPLIT_INLINE float reduce_max(f32x16 a) {
    const float32x4_t h4 = max_to_4(a);
    const float32x4_t h2 = max_128(h4, swap_pairs(h4));
    return vgetq_lane_f32(max_128(h2, vrev64q_f32(h2)), 0);
}
KVSPLIT_INLINE std::int32_t reduce_add(i32x16 a) { return vaddvq_s32(add_to_4(a)); }

// For four vectors at once: lane r of the result comes from vector r.
KVSPLIT_INLINE f32x16 max_of_4(f32x16 a, f32x16 b, f32x16 c, f32x16 d) {
    const float32x4_t a4 = max_to_4(a), b4 = max_to_4(b), c4 = max_to_4(c), d4 = max_to_4(d);
    const float32x4_t ab = max_128(vzip1q_f32(a4, b4), vzip2q_f32(a4, b4));
    const float32x4_t cd = max_128(vzip1q_f32(c4, d4), vzip2q_f32(c4, d4));
    const float32x4_t zero = vdupq_n_f32(0),
                      all = max_128(vcombine_f32(vget_low_f32(ab), vget_low_f32(cd)),
                                    vcombine_f32(vget_high_f32(ab), vget_high_f32(cd)));
    return {{all, zero, zero, zero}};
}
KVSPLIT_INLINE i32x16 add_of_4(i32x16 a, i32x16 b, i32x16 c, i32x16 d) {
    const int32x4_t ab = vpaddq_s32(add_to_4(a), add_to_4(b)), cd = vpaddq_s32(add_to_4(c), add_to_4(d));
    const int32x4_t zero = vdupq_n_s32(0);
    return {{vpaddq_s32(ab, cd), zero, zero, zero}};
}
KVSPLIT_INLINE f32x16 add_of_4(f32x16 a, f32x16 b, f32x16 c, f32x16 d) {
    const float32x4_t a4 = add_to_4(a), b4 = add_to_4(b), c4 = add_to_4(c), d4 = add_to_4(d);
    const float32x4_t ab = vaddq_f32(vzip1q_f32(a4, b4), vzip2q_f32(a4, b4));
    const float32x4_t cd = vaddq_f32(vzip1q_f32(c4, d4), vzip2q_f32(c4, d4));
    const float32x4_t zero = vdupq_n_f32(0),
                      all = vaddq_f32(vcombine_f32(vget_low_f32(ab), vget_low_f32(cd)),
                                      vcombine_f32(vget_high_f32(ab), vget_high_f32(cd)));
    return {{all, zero, zero, zero}};
}
KVSPLIT_INLINE f32x16 join_quads(f32x16 a, f32x16 b) { return {{a.v[0], b.v[0], a.v[2], a.v[3]}}; }
KVSPLIT_INLINE i32x16 join_quads(i32x16 a, i32x16 b) { return {{a.v[0], b.v[0], a.v[2], a.v[3]}}; }

// Conversions
KVSPLIT_INLINE int32x4_t to_i32_128(float32x4_t a) {
    const uint32x4_t below = vcltq_f32(a, vdupq_n_f32(2147483648.0f));  // the instruction turns NaN into 0
    return vbslq_s32(below, vcvtnq_s32_f32(a), vdupq_n_s32(INT32_MIN));
}
KVSPLIT_EACH_OF_1(f32x16, to_f32, i32x16, vcvtq_f32_s32)
KVSPLIT_EACH_OF_1(i32x16, to_i32, f32x16, to_i32_128)
KVSPLIT_INLINE float32x4_t load_4_f16(const std::uint16_t* p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
KVSPLIT_INLINE float f16_to_f32(std::uint16_t h) {
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h))), 0);
}
KVSPLIT_INLINE f32x16 load_f16(const std::uint16_t* p) {
    return {{load_4_f16(p), load_4_f16(p + 4), load_4_f16(p + 8), load_4_f16(p + 12)}};
}
KVSPLIT_INLINE void store_f16(std::uint16_t* p, f32x16 a) {
    for (int i = 0; i < 4; ++i) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(a.v[i])));
}
KVSPLIT_INLINE float32x4_t load_4_bf16(const std::uint16_t* p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}
KVSPLIT_INLINE f32x16 load_bf16(const std::uint16_t* p) {
    return {{load_4_bf16(p), load_4_bf16(p + 4), load_4_bf16(p + 8), load_4_bf16(p + 12)}};
}
KVSPLIT_INLINE i32x16 load_i8_i32(const std::int8_t* p) {
    const int8x16_t b = vld1q_s8(p);
    const int16x8_t low = vmovl_s8(vget_low_s8(b)), high = vmovl_high_s8(b);
    return {{vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)),
             vmovl_high_s16(high)}};
}
KVSPLIT_INLINE i32x16 load_u8_i32(const std::uint8_t* p) {
    const uint8x16_t b = vld1q_u8(p);
    const uint16x8_t low = vmovl_u8(vget_low_u8(b)), high = vmovl_high_u8(b);
    return {{as_signed(vmovl_u16(vget_low_u16(low))), as_signed(vmovl_high_u16(low)),
             as_signed(vmovl_u16(vget_low_u16(high))), as_signed(vmovl_high_u16(high))}};
}
KVSPLIT_INLINE f32x16 load_i8_f32(const std::int8_t* p) { return to_f32(load_i8_i32(p)); }
KVSPLIT_INLINE void store_i8(std::int8_t* p, f32x16 a) {
    const i32x16 n = to_i32(a);
    const int16x8_t low = vqmovn_high_s32(vqmovn_s32(n.v[0]), n.v[1]);
    const int16x8_t high = vqmovn_high_s32(vqmovn_s32(n.v[2]), n.v[3]);
    vst1q_s8(p, vqmovn_high_s16(vqmovn_s16(low), high));
}

// Bytes. The same bits, another type:
KVSPLIT_INLINE uint8x16_t bytes_of(int32x4_t a) { return vreinterpretq_u8_s32(a); }
KVSPLIT_INLINE int8x16_t signed_bytes(uint8x16_t a) { return vreinterpretq_s8_u8(a); }
KVSPLIT_EACH_OF_1(bytes64, as_bytes, i32x16, vreinterpretq_u8_s32)
KVSPLIT_EACH_OF_1(i32x16, as_i32, bytes64, vreinterpretq_s32_u8)
KVSPLIT_EACH_OF_2(bytes64, operator&, bytes64, vandq_u8)
KVSPLIT_EACH_OF_2(bytes64, operator|, bytes64, vorrq_u8)
KVSPLIT_EACH_OF_2(bytes64, operator^, bytes64, veorq_u8)
KVSPLIT_EACH_OF_2(bytes64, operator+, bytes64, vaddq_u8)

// Words
KVSPLIT_INLINE u16x32 load(const std::uint16_t* p) {
    return {{vld1q_u16(p), vld1q_u16(p + 8), vld1q_u16(p + 16), vld1q_u16(p + 24)}};
}
KVSPLIT_INLINE void store(std::uint16_t* p, u16x32 a) {
    for (int i = 0; i < 4; ++i) vst1q_u16(p + 8 * i, a.v[i]);
}
KVSPLIT_INLINE u16x32 set1_word(int x) {
    const uint16x8_t v = vdupq_n_u16(static_cast<std::uint16_t>(x));
    return {{v, v, v, v}};
}
KVSPLIT_INLINE uint16x8_t multiply_high_128(uint16x8_t a, uint16x8_t b) {
    const uint32x4_t low = vmull_u16(vget_low_u16(a), vget_low_u16(b)), high = vmull_high_u16(a, b);
    return vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(high));
}
KVSPLIT_INLINE uint16x8_t multiply_rounded_128(uint16x8_t a, uint16x8_t b) {
    return vreinterpretq_u16_s16(vqrdmulhq_s16(vreinterpretq_s16_u16(a), vreinterpretq_s16_u16(b)));
}
KVSPLIT_INLINE uint16x8_t shift_out_128(uint16x8_t a, uint16x8_t n) {
    return vshlq_u16(a, vsubq_s16(vreinterpretq_s16_u16(n), vdupq_n_s16(16)));
}
KVSPLIT_INLINE int32x4_t add_pairs_128(int32x4_t acc, uint16x8_t a) {
    return vpadalq_s16(acc, vreinterpretq_s16_u16(a));
}
KVSPLIT_INLINE uint16x8_t pack_words_128(int32x4_t a, int32x4_t b) {
    return vcombine_u16(vqmovun_s32(a), vqmovun_s32(b));
}
KVSPLIT_EACH_OF_2(u16x32, operator+, u16x32, vaddq_u16)
KVSPLIT_EACH_OF_2(u16x32, max, u16x32, vmaxq_u16)
KVSPLIT_EACH_OF_2(u16x32, average, u16x32, vrhaddq_u16)
KVSPLIT_EACH_OF_2(u16x32, multiply_high, u16x32, multiply_high_128)
KVSPLIT_EACH_OF_2(u16x32, multiply_rounded, u16x32, multiply_rounded_128)
KVSPLIT_EACH_OF_2(u16x32, shift_out, u16x32, shift_out_128)
KVSPLIT_EACH_OF_1(u16x32, as_words, i32x16, vreinterpretq_u16_s32)
KVSPLIT_EACH_OF_2(u16x32, pack_words, i32x16, pack_words_128)
template <int n>
KVSPLIT_INLINE u16x32 shift_left(u16x32 a) {
    for (uint16x8_t& v : a.v) v = vshlq_n_u16(v, n);
    return a;
}
template <int n>
KVSPLIT_INLINE u16x32 shift_right_logical(u16x32 a) {
    for (uint16x8_t& v : a.v) v = vshrq_n_u16(v, n);
    return a;
}
KVSPLIT_INLINE uint16x8_t max_to_8(u16x32 a) {
    return vmaxq_u16(vmaxq_u16(a.v[0], a.v[1]), vmaxq_u16(a.v[2], a.v[3]));
}
KVSPLIT_INLINE i32x16 max_of_4(u16x32 a, u16x32 b, u16x32 c, u16x32 d) {
    const uint16x8_t ab = vpmaxq_u16(max_to_8(a), max_to_8(b)), cd = vpmaxq_u16(max_to_8(c), max_to_8(d));
    const uint16x8_t pairs = vpmaxq_u16(ab, cd);
    const int32x4_t zero = vdupq_n_s32(0),
                    all = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vpmaxq_u16(pairs, pairs))));
    return {{all, zero, zero, zero}};
}
KVSPLIT_INLINE i32x16 add_pairs(i32x16 acc, u16x32 a) {
    for (int i = 0; i < 4; ++i) acc.v[i] = add_pairs_128(acc.v[i], a.v[i]);
    return acc;
}

// The lower halves of the lanes of a, then of b
KVSPLIT_INLINE uint16x8_t low_halves(int32x4_t a, int32x4_t b) {
    return vuzp1q_u16(vreinterpretq_u16_s32(a), vreinterpretq_u16_s32(b));
}
KVSPLIT_INLINE uint8x16_t low_bytes(uint16x8_t a, uint16x8_t b) {
    return vuzp1q_u8(vreinterpretq_u8_u16(a), vreinterpretq_u8_u16(b));
}
KVSPLIT_INLINE uint8x16_t low_bytes(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d) {
    return low_bytes(low_halves(a, b), low_halves(c, d));
}
KVSPLIT_INLINE uint8x16_t second_sevens(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d) {
    return low_bytes(vshrq_n_u16(low_halves(a, b), 7), vshrq_n_u16(low_halves(c, d), 7));
}
KVSPLIT_INLINE void store_low_bytes(std::uint8_t* p, i32x16 a) {
    vst1q_u8(p, low_bytes(a.v[0], a.v[1], a.v[2], a.v[3]));
}
KVSPLIT_EACH_OF_2(bytes64, pack_bytes, u16x32, low_bytes)
KVSPLIT_INLINE void pack_sevens(const i32x16 (&v)[4], bytes64& low, bytes64& high) {
    low = pack_bytes(pack_words(v[0], v[1]), pack_words(v[2], v[3])) & set1_byte(0x7f);
    for (int i = 0; i < 4; ++i) high.v[i] = second_sevens(v[0].v[i], v[1].v[i], v[2].v[i], v[3].v[i]);
}

KVSPLIT_INLINE int32x4_t dot4_signed_128(int32x4_t acc, uint8x16_t a, uint8x16_t b) {
    return vdotq_s32(acc, signed_bytes(a), signed_bytes(b));
}
KVSPLIT_INLINE int32x4_t dot4_unsigned_128(int32x4_t acc, uint8x16_t a, uint8x16_t b) {
    return as_signed(vdotq_u32(as_unsigned(acc), a, b));
}
#if defined(KVSPLIT_ISA_I8MM)
KVSPLIT_INLINE int32x4_t dot4_128(int32x4_t acc, uint8x16_t a, uint8x16_t b) {
    return vusdotq_s32(acc, a, signed_bytes(b));
}
#else
// a - 128 (a with its highest bit flipped) is a signed byte; the sum of 128 b is added again.
KVSPLIT_INLINE int32x4_t dot4_128(int32x4_t acc, uint8x16_t a, uint8x16_t b) {
    const uint8x16_t offset = vdupq_n_u8(0x80);  // as a signed byte: -128
    const int32x4_t excess = dot4_signed_128(vdupq_n_s32(0), offset, b);
    return sub_128(dot4_signed_128(acc, veorq_u8(a, offset), b), excess);
}
#endif
KVSPLIT_EACH_OF_3(i32x16, dot4, i32x16, bytes64, bytes64, dot4_128)
KVSPLIT_EACH_OF_3(i32x16, dot4_small, i32x16, bytes64, bytes64, dot4_signed_128)
KVSPLIT_EACH_OF_3(i32x16, dot4_unsigned, i32x16, bytes64, bytes64, dot4_unsigned_128)
inline constexpr int kKeyFlip = 0;
KVSPLIT_EACH_OF_3(i32x16, dot4_keys, i32x16, bytes64, bytes64, dot4_signed_128)

KVSPLIT_INLINE bytes64 set1_4bytes(const void* p) {
    std::int32_t word;
    std::memcpy(&word, p, 4);
    return as_bytes(set1(word));
}
template <int n>
KVSPLIT_INLINE uint8x16_t shift_left_bytes_128(uint8x16_t a) {
    return vshlq_n_u8(a, n);
}
template <int n>
KVSPLIT_INLINE uint8x16_t shift_right_bytes_128(uint8x16_t a) {
    if constexpr (n == 0) return a;
    return vshrq_n_u8(a, n == 0 ? 1 : n);
}
template <int n>
KVSPLIT_EACH_OF_1(bytes64, shift_left_bytes, bytes64, shift_left_bytes_128<n>)
template <int n>
KVSPLIT_EACH_OF_1(bytes64, shift_right_bytes, bytes64, shift_right_bytes_128<n>)
KVSPLIT_INLINE bytes64 low_nibbles(bytes64 a) {
    return a & set1_byte(0x0f);
}
KVSPLIT_INLINE bytes64 high_nibbles(bytes64 a) { return shift_right_bytes<4>(a); }
KVSPLIT_INLINE bytes64 load_table16(const void* p) {
    const uint8x16_t v = vld1q_u8(static_cast<const std::uint8_t*>(p));
    return {{v, v, v, v}};
}
KVSPLIT_EACH_OF_2(bytes64, lookup16, bytes64, vqtbl1q_u8)
KVSPLIT_INLINE bytes64 lookup_low_nibbles(bytes64 table, bytes64 a) {
    return lookup16(table, low_nibbles(a));
}
KVSPLIT_INLINE bytes64 lookup_high_nibbles(bytes64 table, bytes64 a) {
    return lookup16(table, high_nibbles(a));
}
// Bits 0 to 15 spread over 16 bytes.
KVSPLIT_INLINE uint8x16_t spread_bits(const std::uint8_t* p) {
    const uint8x16_t bit_of = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));
    return vtstq_u8(vcombine_u8(vld1_dup_u8(p), vld1_dup_u8(p + 1)), bit_of);
}
KVSPLIT_INLINE mask64 load_mask64(const void* p) {
    const auto* b = static_cast<const std::uint8_t*>(p);
    return {{spread_bits(b), spread_bits(b + 2), spread_bits(b + 4), spread_bits(b + 6)}};
}
KVSPLIT_INLINE uint8x16_t add_where_128(uint8x16_t m, uint8x16_t a, uint8x16_t b) {
    return vaddq_u8(a, vandq_u8(m, b));
}
KVSPLIT_EACH_OF_3(bytes64, add_where, mask64, bytes64, bytes64, add_where_128)

KVSPLIT_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }

#undef KVSPLIT_EACH_OF_1
#undef KVSPLIT_EACH_OF_2
#undef KVSPLIT_EACH_OF_3

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
