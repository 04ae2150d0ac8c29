// Sixteen-lane operations for cache pages only. Included after simd.h.
//
// clang-format off
//   table8f, table8i        eight floats or integers; load_table8(p)
//   lookup8(table, index)   lanes of index in 0 .. 7
//   round_f16(a)            to f16 and back, nearest even
//   a | b, a ^ b            on i32x16
//   transpose_8x8(in, in_stride, out, out_stride)   16-bit elements; strides in elements
//   transpose_quads(in, out)   bytes64[4] each, sixteen rows by sixteen columns in quads of rows: byte 4c + r % 4 of
//                              in[r / 4] to byte 4r + c % 4 of out[c / 4], which makes quads of columns
// clang-format on
#pragma once

#include "backend/cpu/simd/simd.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

// The transposition of four by four bytes.
inline constexpr std::uint8_t kQuadOrder[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};

// Eight 16-bit elements, and the interleaved elements of the lower and the upper halves of two.
#if defined(KVSPLIT_ISA_AVX512) || defined(KVSPLIT_ISA_AVX2)
using halves8 = __m128i;
KVSPLIT_INLINE halves8 load_halves(const std::uint16_t* p) { return load_16_bytes(p); }
KVSPLIT_INLINE void store_halves(std::uint16_t* p, halves8 a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), a);
}
KVSPLIT_INLINE halves8 zip_low(halves8 a, halves8 b) { return _mm_unpacklo_epi16(a, b); }
KVSPLIT_INLINE halves8 zip_high(halves8 a, halves8 b) { return _mm_unpackhi_epi16(a, b); }
#elif defined(KVSPLIT_ISA_NEON)
using halves8 = uint16x8_t;
KVSPLIT_INLINE halves8 load_halves(const std::uint16_t* p) { return vld1q_u16(p); }
KVSPLIT_INLINE void store_halves(std::uint16_t* p, halves8 a) { vst1q_u16(p, a); }
KVSPLIT_INLINE halves8 zip_low(halves8 a, halves8 b) { return vzip1q_u16(a, b); }
KVSPLIT_INLINE halves8 zip_high(halves8 a, halves8 b) { return vzip2q_u16(a, b); }
#endif

#if !defined(KVSPLIT_ISA_PORTABLE)

KVSPLIT_INLINE void transpose_8x8(const std::uint16_t* in, std::ptrdiff_t in_stride, std::uint16_t* out,
                                  std::ptrdiff_t out_stride) {
    halves8 a[8], b[8];
    for (int i = 0; i < 8; ++i) a[i] = load_halves(in + i * in_stride);
    // After step k there are runs of 2^k elements of one column; rows r and r + 4 meet in each step.
    const auto step = [](const halves8(&from)[8], halves8(&to)[8]) KVSPLIT_LAMBDA_INLINE {
        for (int i = 0; i < 4; ++i) {
            to[2 * i] = zip_low(from[i], from[i + 4]);
            to[2 * i + 1] = zip_high(from[i], from[i + 4]);
        }
    };
    step(a, b);
    step(b, a);
    step(a, b);
    for (int i = 0; i < 8; ++i) store_halves(out + i * out_stride, b[i]);
}

#endif

#if defined(KVSPLIT_ISA_AVX512)

struct table8f {
    __m512 v;  // twice
};
struct table8i {
    __m512i v;
};
KVSPLIT_INLINE table8f load_table8(const float* p) {
    const __m512 once = _mm512_castps256_ps512(_mm256_loadu_ps(p));
    return {_mm512_shuffle_f32x4(once, once, 0x44)};
}
KVSPLIT_INLINE table8i load_table8(const std::int32_t* p) {
    return {_mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
KVSPLIT_INLINE f32x16 lookup8(table8f table, i32x16 index) {
    return {_mm512_permutexvar_ps(index.v, table.v)};
}
KVSPLIT_INLINE i32x16 lookup8(table8i table, i32x16 index) {
    return {_mm512_permutexvar_epi32(index.v, table.v)};
}
KVSPLIT_INLINE f32x16 round_f16(f32x16 a) {
    return {_mm512_cvtph_ps(_mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT))};
}
KVSPLIT_INLINE void transpose_quads(const bytes64 (&in)[4], bytes64 (&out)[4]) {
    const __m512i order = load_table16(kQuadOrder).v;
    const __m512i a = _mm512_shuffle_epi8(in[0].v, order), b = _mm512_shuffle_epi8(in[1].v, order);
    const __m512i c = _mm512_shuffle_epi8(in[2].v, order), d = _mm512_shuffle_epi8(in[3].v, order);
    const __m512i ab_even = _mm512_shuffle_i32x4(a, b, 0x88), ab_odd = _mm512_shuffle_i32x4(a, b, 0xdd);
    const __m512i cd_even = _mm512_shuffle_i32x4(c, d, 0x88), cd_odd = _mm512_shuffle_i32x4(c, d, 0xdd);
    out[0].v = _mm512_shuffle_i32x4(ab_even, cd_even, 0x88);
    out[1].v = _mm512_shuffle_i32x4(ab_odd, cd_odd, 0x88);
    out[2].v = _mm512_shuffle_i32x4(ab_even, cd_even, 0xdd);
    out[3].v = _mm512_shuffle_i32x4(ab_odd, cd_odd, 0xdd);
}
KVSPLIT_INLINE i32x16 operator|(i32x16 a, i32x16 b) { return {_mm512_or_si512(a.v, b.v)}; }
KVSPLIT_INLINE i32x16 operator^(i32x16 a, i32x16 b) { return {_mm512_xor_si512(a.v, b.v)}; }

#elif defined(KVSPLIT_ISA_AVX2)

struct table8f {
    __m256 v;
};
struct table8i {
    __m256i v;
};
KVSPLIT_INLINE table8f load_table8(const float* p) { return {_mm256_loadu_ps(p)}; }
KVSPLIT_INLINE table8i load_table8(const std::int32_t* p) { return {load_256(p)}; }
KVSPLIT_INLINE f32x16 lookup8(table8f table, i32x16 index) {
    return {_mm256_permutevar8x32_ps(table.v, index.lo), _mm256_permutevar8x32_ps(table.v, index.hi)};
}
KVSPLIT_INLINE i32x16 lookup8(table8i table, i32x16 index) {
    return {_mm256_permutevar8x32_epi32(table.v, index.lo), _mm256_permutevar8x32_epi32(table.v, index.hi)};
}
KVSPLIT_INLINE f32x16 round_f16(f32x16 a) {
    return {_mm256_cvtph_ps(_mm256_cvtps_ph(a.lo, _MM_FROUND_TO_NEAREST_INT)),
            _mm256_cvtph_ps(_mm256_cvtps_ph(a.hi, _MM_FROUND_TO_NEAREST_INT))};
}
KVSPLIT_INLINE void transpose_quads(const bytes64 (&in)[4], bytes64 (&out)[4]) {
    const bytes64 order = load_table16(kQuadOrder);
    const bytes64 a = lookup16(in[0], order), b = lookup16(in[1], order);
    const bytes64 c = lookup16(in[2], order), d = lookup16(in[3], order);
    out[0] = {_mm256_permute2x128_si256(a.lo, b.lo, 0x20), _mm256_permute2x128_si256(c.lo, d.lo, 0x20)};
    out[1] = {_mm256_permute2x128_si256(a.lo, b.lo, 0x31), _mm256_permute2x128_si256(c.lo, d.lo, 0x31)};
    out[2] = {_mm256_permute2x128_si256(a.hi, b.hi, 0x20), _mm256_permute2x128_si256(c.hi, d.hi, 0x20)};
    out[3] = {_mm256_permute2x128_si256(a.hi, b.hi, 0x31), _mm256_permute2x128_si256(c.hi, d.hi, 0x31)};
}
KVSPLIT_INLINE i32x16 operator|(i32x16 a, i32x16 b) {
    return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
}
KVSPLIT_INLINE i32x16 operator^(i32x16 a, i32x16 b) {
    return {_mm256_xor_si256(a.lo, b.lo), _mm256_xor_si256(a.hi, b.hi)};
}

#elif defined(KVSPLIT_ISA_NEON)

struct table8f {
    uint8x16x2_t bytes;
};
struct table8i {
    uint8x16x2_t bytes;
};
// The bytes of lane `index` of 32 bytes
KVSPLIT_INLINE uint8x16_t lookup_lanes(uint8x16x2_t table, int32x4_t index) {
    const uint32x4_t first = vmulq_n_u32(as_unsigned(index), 0x04040404);
    return vqtbl2q_u8(table, vreinterpretq_u8_u32(vaddq_u32(first, vdupq_n_u32(0x03020100))));
}
KVSPLIT_INLINE table8f load_table8(const float* p) {
    return {{{vreinterpretq_u8_f32(vld1q_f32(p)), vreinterpretq_u8_f32(vld1q_f32(p + 4))}}};
}
KVSPLIT_INLINE table8i load_table8(const std::int32_t* p) {
    return {{{bytes_of(vld1q_s32(p)), bytes_of(vld1q_s32(p + 4))}}};
}
KVSPLIT_INLINE f32x16 lookup8(table8f table, i32x16 index) {
    f32x16 r;
    for (int i = 0; i < 4; ++i) r.v[i] = vreinterpretq_f32_u8(lookup_lanes(table.bytes, index.v[i]));
    return r;
}
KVSPLIT_INLINE i32x16 lookup8(table8i table, i32x16 index) {
    i32x16 r;
    for (int i = 0; i < 4; ++i) r.v[i] = vreinterpretq_s32_u8(lookup_lanes(table.bytes, index.v[i]));
    return r;
}
KVSPLIT_INLINE void transpose_quads(const bytes64 (&in)[4], bytes64 (&out)[4]) {
    const uint8x16_t order = vld1q_u8(kQuadOrder);
    for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < 4; ++j) out[j].v[i] = vqtbl1q_u8(in[i].v[j], order);
    }
}
KVSPLIT_INLINE f32x16 round_f16(f32x16 a) {
    f32x16 r;
    for (int i = 0; i < 4; ++i) r.v[i] = vcvt_f32_f16(vcvt_f16_f32(a.v[i]));
    return r;
}

#else

struct table8f {
    float v[8];
};
struct table8i {
    std::int32_t v[8];
};
KVSPLIT_INLINE table8f load_table8(const float* p) { return load_raw<table8f>(p); }
KVSPLIT_INLINE table8i load_table8(const std::int32_t* p) { return load_raw<table8i>(p); }
KVSPLIT_INLINE f32x16 lookup8(table8f table, i32x16 index) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.v[i] = table.v[index.v[i] & 7];
    return r;
}
KVSPLIT_INLINE i32x16 lookup8(table8i table, i32x16 index) {
    i32x16 r;
    for (int i = 0; i < 16; ++i) r.v[i] = table.v[index.v[i] & 7];
    return r;
}
KVSPLIT_INLINE f32x16 round_f16(f32x16 a) {
    std::uint16_t half[16];
    store_f16(half, a);
    return load_f16(half);
}
KVSPLIT_INLINE void transpose_quads(const bytes64 (&in)[4], bytes64 (&out)[4]) {
    for (int r = 0; r < 16; ++r) {
        for (int c = 0; c < 16; ++c) out[c / 4].v[4 * r + c % 4] = in[r / 4].v[4 * c + r % 4];
    }
}
KVSPLIT_INLINE i32x16 operator|(i32x16 a, i32x16 b) { return {a.v | b.v}; }
KVSPLIT_INLINE i32x16 operator^(i32x16 a, i32x16 b) { return {a.v ^ b.v}; }
KVSPLIT_INLINE void transpose_8x8(const std::uint16_t* in, std::ptrdiff_t in_stride, std::uint16_t* out,
                                  std::ptrdiff_t out_stride) {
    for (int i = 0; i < 8; ++i) {
        for (int j = 0; j < 8; ++j) out[j * out_stride + i] = in[i * in_stride + j];
    }
}

#endif

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
