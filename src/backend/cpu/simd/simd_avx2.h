// AVX2 + FMA + F16C form of simd.h: two registers per type, lanes 0-7 and 8-15. Included by simd.h only.
#pragma once

#include <immintrin.h>

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

struct f32x16 {
    __m256 lo, hi;
};
struct i32x16 {
    __m256i lo, hi;
};
struct bytes64 {
    __m256i lo, hi;
};
struct u16x32 {
    __m256i lo, hi;
};
struct mask16 {
    __m256 lo, hi;
};  // all bits of a lane set or clear
struct mask64 {
    __m256i lo, hi;
};  // all bits of a byte set or clear

KVSPLIT_INLINE __m256i load_256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
KVSPLIT_INLINE void store_256(void* p, __m256i a) { _mm256_storeu_si256(static_cast<__m256i*>(p), a); }
KVSPLIT_INLINE const void* bytes_after(const void* p, int n) { return static_cast<const char*>(p) + n; }

// Loads, stores, constants
KVSPLIT_INLINE f32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
KVSPLIT_INLINE i32x16 load(const std::int32_t* p) { return {load_256(p), load_256(p + 8)}; }
KVSPLIT_INLINE bytes64 load_bytes(const void* p) { return {load_256(p), load_256(bytes_after(p, 32))}; }
KVSPLIT_INLINE void store(float* p, f32x16 a) {
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}
KVSPLIT_INLINE void store(std::int32_t* p, i32x16 a) {
    store_256(p, a.lo);
    store_256(p + 8, a.hi);
}
KVSPLIT_INLINE void store_bytes(void* p, bytes64 a) {
    store_256(p, a.lo);
    store_256(static_cast<char*>(p) + 32, a.hi);
}
KVSPLIT_INLINE mask16 mask_first(int n) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n), index)),
            _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n - 8), index))};
}
KVSPLIT_INLINE unsigned mask_bits(mask16 m) {
    return static_cast<unsigned>(_mm256_movemask_ps(m.lo)) | static_cast<unsigned>(_mm256_movemask_ps(m.hi))
                                                                 << 8;
}
KVSPLIT_INLINE f32x16 load_first(const float* p, int n) {
    const mask16 m = mask_first(n);
    return {_mm256_maskload_ps(p, _mm256_castps_si256(m.lo)),
            _mm256_maskload_ps(p + 8, _mm256_castps_si256(m.hi))};
}
KVSPLIT_INLINE void store_first(float* p, f32x16 a, int n) {
    const mask16 m = mask_first(n);
    _mm256_maskstore_ps(p, _mm256_castps_si256(m.lo), a.lo);
    _mm256_maskstore_ps(p + 8, _mm256_castps_si256(m.hi), a.hi);
}
KVSPLIT_INLINE f32x16 set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
KVSPLIT_INLINE i32x16 set1(std::int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
KVSPLIT_INLINE bytes64 set1_byte(int x) {
    const __m256i v = _mm256_set1_epi8(static_cast<char>(x));
    return {v, v};
}
KVSPLIT_INLINE f32x16 zero_f32() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
KVSPLIT_INLINE i32x16 zero_i32() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }

// Arithmetic
KVSPLIT_INLINE f32x16 operator+(f32x16 a, f32x16 b) {
    return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
KVSPLIT_INLINE f32x16 operator-(f32x16 a, f32x16 b) {
    return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
KVSPLIT_INLINE f32x16 operator*(f32x16 a, f32x16 b) {
    return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
KVSPLIT_INLINE f32x16 operator/(f32x16 a, f32x16 b) {
    return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
KVSPLIT_INLINE f32x16 operator-(f32x16 a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_xor_ps(a.lo, sign), _mm256_xor_ps(a.hi, sign)};
}
KVSPLIT_INLINE f32x16 abs(f32x16 a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
}
KVSPLIT_INLINE f32x16 fmadd(f32x16 a, f32x16 b, f32x16 c) {
    return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
KVSPLIT_INLINE f32x16 fnmadd(f32x16 a, f32x16 b, f32x16 c) {
    return {_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
}
KVSPLIT_INLINE f32x16 max(f32x16 a, f32x16 b) {
    return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
KVSPLIT_INLINE f32x16 min(f32x16 a, f32x16 b) {
    return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
}
KVSPLIT_INLINE f32x16 sqrt(f32x16 a) { return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }
KVSPLIT_INLINE i32x16 operator+(i32x16 a, i32x16 b) {
    return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)};
}
KVSPLIT_INLINE i32x16 operator-(i32x16 a, i32x16 b) {
    return {_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)};
}
KVSPLIT_INLINE i32x16 operator*(i32x16 a, i32x16 b) {
    return {_mm256_mullo_epi32(a.lo, b.lo), _mm256_mullo_epi32(a.hi, b.hi)};
}
template <int n>
KVSPLIT_INLINE i32x16 shift_right_signed(i32x16 a) {
    return {_mm256_srai_epi32(a.lo, n), _mm256_srai_epi32(a.hi, n)};
}
template <int n>
KVSPLIT_INLINE i32x16 shift_left(i32x16 a) {
    return {_mm256_slli_epi32(a.lo, n), _mm256_slli_epi32(a.hi, n)};
}
template <int n>
KVSPLIT_INLINE i32x16 shift_right_logical(i32x16 a) {
    return {_mm256_srli_epi32(a.lo, n), _mm256_srli_epi32(a.hi, n)};
}
KVSPLIT_INLINE i32x16 operator&(i32x16 a, i32x16 b) {
    return {_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)};
}
// 2^n for -127 < n < 128
KVSPLIT_INLINE f32x16 power_of_two(i32x16 n) {
    const i32x16 biased = n + set1(127);
    return {_mm256_castsi256_ps(_mm256_slli_epi32(biased.lo, 23)),
            _mm256_castsi256_ps(_mm256_slli_epi32(biased.hi, 23))};
}

// Comparison
template <int predicate>
KVSPLIT_INLINE mask16 compare(f32x16 a, f32x16 b) {
    return {_mm256_cmp_ps(a.lo, b.lo, predicate), _mm256_cmp_ps(a.hi, b.hi, predicate)};
}
KVSPLIT_INLINE mask16 lt(f32x16 a, f32x16 b) { return compare<_CMP_LT_OQ>(a, b); }
KVSPLIT_INLINE mask16 le(f32x16 a, f32x16 b) { return compare<_CMP_LE_OQ>(a, b); }
KVSPLIT_INLINE mask16 eq(f32x16 a, f32x16 b) { return compare<_CMP_EQ_OQ>(a, b); }
KVSPLIT_INLINE mask16 lt(i32x16 a, i32x16 b) {
    return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(b.lo, a.lo)),
            _mm256_castsi256_ps(_mm256_cmpgt_epi32(b.hi, a.hi))};
}
KVSPLIT_INLINE mask16 eq(i32x16 a, i32x16 b) {
    return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(a.lo, b.lo)),
            _mm256_castsi256_ps(_mm256_cmpeq_epi32(a.hi, b.hi))};
}
KVSPLIT_INLINE f32x16 select(mask16 m, f32x16 a, f32x16 b) {
    return {_mm256_blendv_ps(b.lo, a.lo, m.lo), _mm256_blendv_ps(b.hi, a.hi, m.hi)};
}
KVSPLIT_INLINE i32x16 select(mask16 m, i32x16 a, i32x16 b) {
    return {_mm256_blendv_epi8(b.lo, a.lo, _mm256_castps_si256(m.lo)),
            _mm256_blendv_epi8(b.hi, a.hi, _mm256_castps_si256(m.hi))};
}

// Lanes i and i ^ n exchanged
template <int n>
KVSPLIT_INLINE f32x16 swap_lanes(f32x16 a) {
    if constexpr (n == 1) return {_mm256_permute_ps(a.lo, 0xb1), _mm256_permute_ps(a.hi, 0xb1)};
    if constexpr (n == 2) return {_mm256_permute_ps(a.lo, 0x4e), _mm256_permute_ps(a.hi, 0x4e)};
    if constexpr (n == 4) {
        return {_mm256_permute2f128_ps(a.lo, a.lo, 1), _mm256_permute2f128_ps(a.hi, a.hi, 1)};
    }
    return {a.hi, a.lo};
}

// Powers of two
KVSPLIT_INLINE f32x16 fraction(f32x16 a) { return a - f32x16{_mm256_floor_ps(a.lo), _mm256_floor_ps(a.hi)}; }
KVSPLIT_INLINE __m256 times_power_256(__m256 a, __m256 b) {
    const __m256 large = _mm256_cmp_ps(b, _mm256_set1_ps(-126.0f), _CMP_GE_OQ);
    const __m256i n = _mm256_slli_epi32(_mm256_cvtps_epi32(_mm256_floor_ps(b)), 23);
    return _mm256_and_ps(large, _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), n)));
}
KVSPLIT_INLINE f32x16 times_power(f32x16 a, f32x16 b) {
    return {times_power_256(a.lo, b.lo), times_power_256(a.hi, b.hi)};
}

// Reductions
KVSPLIT_INLINE float reduce_add(f32x16 a) {
    const __m256 h8 = _mm256_add_ps(a.lo, a.hi);
    const __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    const __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));
    return _mm_cvtss_f32(_mm_add_ss(h2, _mm_movehdup_ps(h2)));
}
KVSPLIT_INLINE float reduce_max(f32x16 a) {
    const __m256 h8 = _mm256_max_ps(a.lo, a.hi);
    const __m128 h4 = _mm_max_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    const __m128 h2 = _mm_max_ps(h4, _mm_movehl_ps(h4, h4));
    return _mm_cvtss_f32(_mm_max_ss(h2, _mm_movehdup_ps(h2)));
}
KVSPLIT_INLINE std::int32_t reduce_add(i32x16 a) {
    const __m256i h8 = _mm256_add_epi32(a.lo, a.hi);
    const __m128i h4 = _mm_add_epi32(_mm256_castsi256_si128(h8), _mm256_extracti128_si256(h8, 1));
    const __m128i h2 = _mm_add_epi32(h4, _mm_shuffle_epi32(h4, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(h2, _mm_shuffle_epi32(h2, 0xb1)));
}

// For four vectors at once: lane r of each 128 bits comes from vector r, then the 128 bits are folded.
KVSPLIT_INLINE f32x16 max_of_4(f32x16 a, f32x16 b, f32x16 c, f32x16 d) {
    const __m256 a8 = _mm256_max_ps(a.lo, a.hi), b8 = _mm256_max_ps(b.lo, b.hi);
    const __m256 c8 = _mm256_max_ps(c.lo, c.hi), d8 = _mm256_max_ps(d.lo, d.hi);
    const __m256 ab = _mm256_max_ps(_mm256_unpacklo_ps(a8, b8), _mm256_unpackhi_ps(a8, b8));
    const __m256 cd = _mm256_max_ps(_mm256_unpacklo_ps(c8, d8), _mm256_unpackhi_ps(c8, d8));
    const __m256 all = _mm256_max_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
    const __m128 h4 = _mm_max_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
    return {_mm256_zextps128_ps256(h4), _mm256_setzero_ps()};
}
KVSPLIT_INLINE i32x16 add_of_4(i32x16 a, i32x16 b, i32x16 c, i32x16 d) {
    const __m256i ab = _mm256_hadd_epi32(_mm256_add_epi32(a.lo, a.hi), _mm256_add_epi32(b.lo, b.hi));
    const __m256i cd = _mm256_hadd_epi32(_mm256_add_epi32(c.lo, c.hi), _mm256_add_epi32(d.lo, d.hi));
    const __m256i all = _mm256_hadd_epi32(ab, cd);
    const __m128i h4 = _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    return {_mm256_zextsi128_si256(h4), _mm256_setzero_si256()};
}
KVSPLIT_INLINE f32x16 add_of_4(f32x16 a, f32x16 b, f32x16 c, f32x16 d) {
    const __m256 a8 = _mm256_add_ps(a.lo, a.hi), b8 = _mm256_add_ps(b.lo, b.hi);
    const __m256 c8 = _mm256_add_ps(c.lo, c.hi), d8 = _mm256_add_ps(d.lo, d.hi);
    const __m256 ab =
        _mm256_add_ps(_mm256_permute2f128_ps(a8, b8, 0x20), _mm256_permute2f128_ps(a8, b8, 0x31));
    const __m256 cd =
        _mm256_add_ps(_mm256_permute2f128_ps(c8, d8, 0x20), _mm256_permute2f128_ps(c8, d8, 0x31));
    const __m256 h2 = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
    const __m256 all = _mm256_hadd_ps(h2, h2);
    const __m128 h1 = _mm_unpacklo_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
    return {_mm256_zextps128_ps256(h1), _mm256_setzero_ps()};
}

KVSPLIT_INLINE f32x16 join_quads(f32x16 a, f32x16 b) {
    return {_mm256_permute2f128_ps(a.lo, b.lo, 0x20), a.hi};
}
KVSPLIT_INLINE i32x16 join_quads(i32x16 a, i32x16 b) {
    return {_mm256_permute2x128_si256(a.lo, b.lo, 0x20), a.hi};
}

// Conversions
KVSPLIT_INLINE f32x16 to_f32(i32x16 a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
KVSPLIT_INLINE i32x16 to_i32(f32x16 a) { return {_mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi)}; }
KVSPLIT_INLINE __m128i load_16_bytes(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
KVSPLIT_INLINE float f16_to_f32(std::uint16_t h) { return _cvtsh_ss(h); }
KVSPLIT_INLINE f32x16 load_f16(const std::uint16_t* p) {
    return {_mm256_cvtph_ps(load_16_bytes(p)), _mm256_cvtph_ps(load_16_bytes(p + 8))};
}
KVSPLIT_INLINE void store_f16(std::uint16_t* p, f32x16 a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.lo, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm256_cvtps_ph(a.hi, _MM_FROUND_TO_NEAREST_INT));
}
KVSPLIT_INLINE f32x16 load_bf16(const std::uint16_t* p) {
    const __m256i lo = _mm256_cvtepu16_epi32(load_16_bytes(p)),
                  hi = _mm256_cvtepu16_epi32(load_16_bytes(p + 8));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(lo, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(hi, 16))};
}
KVSPLIT_INLINE i32x16 load_i8_i32(const std::int8_t* p) {
    const __m128i b = load_16_bytes(p);
    return {_mm256_cvtepi8_epi32(b), _mm256_cvtepi8_epi32(_mm_srli_si128(b, 8))};
}
KVSPLIT_INLINE i32x16 load_u8_i32(const std::uint8_t* p) {
    const __m128i b = load_16_bytes(p);
    return {_mm256_cvtepu8_epi32(b), _mm256_cvtepu8_epi32(_mm_srli_si128(b, 8))};
}
KVSPLIT_INLINE void store_i8(std::int8_t* p, f32x16 a) {
    const i32x16 n = to_i32(a);
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(n.lo, n.hi), 0xd8);
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

KVSPLIT_INLINE void store_low_bytes(std::uint8_t* p, i32x16 a) {
    const __m256i mask = _mm256_set1_epi32(0xff);
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packus_epi32(_mm256_and_si256(a.lo, mask), _mm256_and_si256(a.hi, mask)), 0xd8);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

// Words
KVSPLIT_INLINE u16x32 load(const std::uint16_t* p) { return {load_256(p), load_256(p + 16)}; }
KVSPLIT_INLINE void store(std::uint16_t* p, u16x32 a) {
    store_256(p, a.lo);
    store_256(p + 16, a.hi);
}
KVSPLIT_INLINE u16x32 set1_word(int x) {
    const __m256i v = _mm256_set1_epi16(static_cast<short>(x));
    return {v, v};
}
KVSPLIT_INLINE u16x32 operator+(u16x32 a, u16x32 b) {
    return {_mm256_add_epi16(a.lo, b.lo), _mm256_add_epi16(a.hi, b.hi)};
}
KVSPLIT_INLINE u16x32 max(u16x32 a, u16x32 b) {
    return {_mm256_max_epu16(a.lo, b.lo), _mm256_max_epu16(a.hi, b.hi)};
}
KVSPLIT_INLINE u16x32 average(u16x32 a, u16x32 b) {
    return {_mm256_avg_epu16(a.lo, b.lo), _mm256_avg_epu16(a.hi, b.hi)};
}
KVSPLIT_INLINE u16x32 multiply_high(u16x32 a, u16x32 b) {
    return {_mm256_mulhi_epu16(a.lo, b.lo), _mm256_mulhi_epu16(a.hi, b.hi)};
}
KVSPLIT_INLINE u16x32 multiply_rounded(u16x32 a, u16x32 b) {
    return {_mm256_mulhrs_epi16(a.lo, b.lo), _mm256_mulhrs_epi16(a.hi, b.hi)};
}
template <int n>
KVSPLIT_INLINE u16x32 shift_left(u16x32 a) {
    return {_mm256_slli_epi16(a.lo, n), _mm256_slli_epi16(a.hi, n)};
}
template <int n>
KVSPLIT_INLINE u16x32 shift_right_logical(u16x32 a) {
    return {_mm256_srli_epi16(a.lo, n), _mm256_srli_epi16(a.hi, n)};
}
// 2^n for words n < 16: looks up the powers of n and of n - 8, for the lower and the upper byte.
KVSPLIT_INLINE __m256i powers_of_two_256(__m256i n) {
    const __m256i powers =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m256i upper = _mm256_xor_si256(_mm256_slli_epi16(n, 8), _mm256_set1_epi16(0x800));
    return _mm256_shuffle_epi8(powers, _mm256_or_si256(n, upper));
}
KVSPLIT_INLINE u16x32 shift_out(u16x32 a, u16x32 n) {
    return multiply_high(a, {powers_of_two_256(n.lo), powers_of_two_256(n.hi)});
}
KVSPLIT_INLINE i32x16 add_pairs(i32x16 acc, u16x32 a) {
    const __m256i one = _mm256_set1_epi16(1);
    return {_mm256_add_epi32(acc.lo, _mm256_madd_epi16(a.lo, one)),
            _mm256_add_epi32(acc.hi, _mm256_madd_epi16(a.hi, one))};
}
KVSPLIT_INLINE i32x16 max_of_4(u16x32 a, u16x32 b, u16x32 c, u16x32 d) {
    const __m256i a16 = _mm256_max_epu16(a.lo, a.hi), b16 = _mm256_max_epu16(b.lo, b.hi);
    const __m256i c16 = _mm256_max_epu16(c.lo, c.hi), d16 = _mm256_max_epu16(d.lo, d.hi);
    const __m256i ab = _mm256_max_epu16(_mm256_unpacklo_epi16(a16, b16), _mm256_unpackhi_epi16(a16, b16));
    const __m256i cd = _mm256_max_epu16(_mm256_unpacklo_epi16(c16, d16), _mm256_unpackhi_epi16(c16, d16));
    const __m256i all = _mm256_max_epu16(_mm256_unpacklo_epi32(ab, cd), _mm256_unpackhi_epi32(ab, cd));
    const __m128i h8 = _mm_max_epu16(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    const __m128i h4 = _mm_max_epu16(h8, _mm_unpackhi_epi64(h8, h8));
    return {_mm256_zextsi128_si256(_mm_cvtepu16_epi32(h4)), _mm256_setzero_si256()};
}
KVSPLIT_INLINE u16x32 as_words(i32x16 a) { return {a.lo, a.hi}; }
KVSPLIT_INLINE u16x32 pack_words(i32x16 a, i32x16 b) {
    return {_mm256_packus_epi32(a.lo, b.lo), _mm256_packus_epi32(a.hi, b.hi)};
}

// Bytes
KVSPLIT_INLINE bytes64 pack_bytes(u16x32 a, u16x32 b) {
    return {_mm256_packus_epi16(a.lo, b.lo), _mm256_packus_epi16(a.hi, b.hi)};
}
KVSPLIT_INLINE void pack_sevens_256(__m256i a, __m256i b, __m256i& low, __m256i& high) {
    const __m256i mask = _mm256_set1_epi16(0x7f);
    low = _mm256_packus_epi16(_mm256_and_si256(a, mask), _mm256_and_si256(b, mask));
    high = _mm256_packus_epi16(_mm256_srli_epi16(a, 7), _mm256_srli_epi16(b, 7));
}
KVSPLIT_INLINE void pack_sevens(const i32x16 (&v)[4], bytes64& low, bytes64& high) {
    pack_sevens_256(_mm256_packus_epi32(v[0].lo, v[1].lo), _mm256_packus_epi32(v[2].lo, v[3].lo), low.lo,
                    high.lo);
    pack_sevens_256(_mm256_packus_epi32(v[0].hi, v[1].hi), _mm256_packus_epi32(v[2].hi, v[3].hi), low.hi,
                    high.hi);
}
#if defined(KVSPLIT_ISA_AVXVNNI)
// Not _mm256_dpbusd_avx_epi32: gcc 12 copies its sums in loops.
KVSPLIT_INLINE i32x16 dot4(i32x16 acc, bytes64 a, bytes64 b) {
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc.lo) : "x"(a.lo), "x"(b.lo));
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc.hi) : "x"(a.hi), "x"(b.hi));
    return acc;
}
KVSPLIT_INLINE i32x16 dot4_small(i32x16 acc, bytes64 a, bytes64 b) { return dot4(acc, a, b); }
inline constexpr int kKeyFlip = 0x80;
KVSPLIT_INLINE i32x16 dot4_keys(i32x16 acc, bytes64 a, bytes64 b) { return dot4(acc, a, b); }
#else
// acc + the 16-bit numbers of each lane
KVSPLIT_INLINE __m256i add_pairs(__m256i acc, __m256i pairs) {
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
// Handles even and odd bytes of a separately: each 16-bit sum then has one product and cannot saturate.
KVSPLIT_INLINE __m256i dot4_256(__m256i acc, __m256i a, __m256i b) {
    const __m256i even = _mm256_set1_epi16(0x00ff);
    acc = add_pairs(acc, _mm256_maddubs_epi16(_mm256_and_si256(a, even), b));
    return add_pairs(acc, _mm256_maddubs_epi16(_mm256_andnot_si256(even, a), b));
}
KVSPLIT_INLINE i32x16 dot4(i32x16 acc, bytes64 a, bytes64 b) {
    return {dot4_256(acc.lo, a.lo, b.lo), dot4_256(acc.hi, a.hi, b.hi)};
}
KVSPLIT_INLINE i32x16 dot4_small(i32x16 acc, bytes64 a, bytes64 b) {
    return {add_pairs(acc.lo, _mm256_maddubs_epi16(a.lo, b.lo)),
            add_pairs(acc.hi, _mm256_maddubs_epi16(a.hi, b.hi))};
}
// Words are multiplied as quickly as bytes, and their products need no second addition.
#define KVSPLIT_WORD_PRODUCTS
KVSPLIT_INLINE __m256i dot4_words_256(__m256i acc, __m256i a, __m256i even, __m256i odd) {
    const __m256i low = _mm256_and_si256(a, _mm256_set1_epi16(0x00ff)), high = _mm256_srli_epi16(a, 8);
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(low, even));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(high, odd));
}
KVSPLIT_INLINE i32x16 dot4_words(i32x16 acc, bytes64 a, bytes64 even, bytes64 odd) {
    return {dot4_words_256(acc.lo, a.lo, even.lo, odd.lo), dot4_words_256(acc.hi, a.hi, even.hi, odd.hi)};
}
KVSPLIT_INLINE std::int32_t store_word_quads(void* p, i32x16 a) {
    const __m256i quads = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.lo, a.hi), 0xd8);
    store_256(p, _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(quads, 0xd8), 0xd8));
    return reduce_add(i32x16{_mm256_madd_epi16(quads, _mm256_set1_epi16(1)), _mm256_setzero_si256()});
}
// Of the sizes of a, with the signs given to b: sums of two products then fit 16 bits.
inline constexpr int kKeyFlip = 0;
KVSPLIT_INLINE __m256i dot4_keys_256(__m256i acc, __m256i a, __m256i b) {
    return add_pairs(acc, _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a)));
}
KVSPLIT_INLINE i32x16 dot4_keys(i32x16 acc, bytes64 a, bytes64 b) {
    return {dot4_keys_256(acc.lo, a.lo, b.lo), dot4_keys_256(acc.hi, a.hi, b.hi)};
}
#endif
// Here, too, sums of two products fit 16 bits.
KVSPLIT_INLINE i32x16 dot4_unsigned(i32x16 acc, bytes64 a, bytes64 b) { return dot4_small(acc, a, b); }
KVSPLIT_INLINE bytes64 set1_4bytes(const void* p) {
    std::int32_t word;
    std::memcpy(&word, p, 4);
    const __m256i v = _mm256_set1_epi32(word);
    return {v, v};
}
KVSPLIT_INLINE bytes64 operator&(bytes64 a, bytes64 b) {
    return {_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)};
}
KVSPLIT_INLINE bytes64 operator|(bytes64 a, bytes64 b) {
    return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
}
KVSPLIT_INLINE bytes64 operator^(bytes64 a, bytes64 b) {
    return {_mm256_xor_si256(a.lo, b.lo), _mm256_xor_si256(a.hi, b.hi)};
}
KVSPLIT_INLINE bytes64 operator+(bytes64 a, bytes64 b) {
    return {_mm256_add_epi8(a.lo, b.lo), _mm256_add_epi8(a.hi, b.hi)};
}
KVSPLIT_INLINE bytes64 low_nibbles(bytes64 a) { return a & set1_byte(0x0f); }
template <int n>
KVSPLIT_INLINE bytes64 shift_right_bytes(bytes64 a) {
    return bytes64{_mm256_srli_epi16(a.lo, n), _mm256_srli_epi16(a.hi, n)} & set1_byte(0xff >> n);
}
template <int n>
KVSPLIT_INLINE bytes64 shift_left_bytes(bytes64 a) {
    return bytes64{_mm256_slli_epi16(a.lo, n), _mm256_slli_epi16(a.hi, n)} & set1_byte(0xff << n);
}
KVSPLIT_INLINE bytes64 high_nibbles(bytes64 a) { return shift_right_bytes<4>(a); }
KVSPLIT_INLINE bytes64 load_table16(const void* p) {
    const __m256i v = _mm256_broadcastsi128_si256(load_16_bytes(p));
    return {v, v};
}
KVSPLIT_INLINE bytes64 lookup16(bytes64 table, bytes64 index) {
    return {_mm256_shuffle_epi8(table.lo, index.lo), _mm256_shuffle_epi8(table.hi, index.hi)};
}
KVSPLIT_INLINE bytes64 lookup_low_nibbles(bytes64 table, bytes64 a) {
    return lookup16(table, low_nibbles(a));
}
KVSPLIT_INLINE bytes64 lookup_high_nibbles(bytes64 table, bytes64 a) {
    return lookup16(table, high_nibbles(a));
}
// Spreads 32 bits over 32 bytes.
KVSPLIT_INLINE __m256i spread_bits(std::int32_t bits) {
    const __m256i byte_of = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit_of = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201ull));
    const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), byte_of);
    return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit_of), bit_of);
}
KVSPLIT_INLINE mask64 load_mask64(const void* p) {
    std::int32_t words[2];
    std::memcpy(words, p, 8);
    return {spread_bits(words[0]), spread_bits(words[1])};
}
KVSPLIT_INLINE bytes64 add_where(mask64 m, bytes64 a, bytes64 b) { return a + (bytes64{m.lo, m.hi} & b); }
KVSPLIT_INLINE bytes64 as_bytes(i32x16 a) { return {a.lo, a.hi}; }
KVSPLIT_INLINE i32x16 as_i32(bytes64 a) { return {a.lo, a.hi}; }
KVSPLIT_INLINE f32x16 load_i8_f32(const std::int8_t* p) { return to_f32(load_i8_i32(p)); }

KVSPLIT_INLINE void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
