// AVX-512 (F, BW, DQ, VL, VBMI, VBMI2, VNNI) form of simd.h: one register per type. Included by simd.h only.
#pragma once

#include <immintrin.h>

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

struct f32x16 {
    __m512 v;
};
struct i32x16 {
    __m512i v;
};
struct bytes64 {
    __m512i v;
};
struct u16x32 {
    __m512i v;
};
struct mask16 {
    __mmask16 v;
};
struct mask64 {
    __mmask64 v;
};

// Loads, stores, constants
KVSPLIT_INLINE f32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
KVSPLIT_INLINE i32x16 load(const std::int32_t* p) { return {_mm512_loadu_si512(p)}; }
KVSPLIT_INLINE bytes64 load_bytes(const void* p) { return {_mm512_loadu_si512(p)}; }
KVSPLIT_INLINE void store(float* p, f32x16 a) { _mm512_storeu_ps(p, a.v); }
KVSPLIT_INLINE void store(std::int32_t* p, i32x16 a) { _mm512_storeu_si512(p, a.v); }
KVSPLIT_INLINE void store_bytes(void* p, bytes64 a) { _mm512_storeu_si512(p, a.v); }
KVSPLIT_INLINE mask16 mask_first(int n) { return {static_cast<__mmask16>((1u << n) - 1)}; }
KVSPLIT_INLINE unsigned mask_bits(mask16 m) { return m.v; }
KVSPLIT_INLINE f32x16 load_first(const float* p, int n) {
    return {_mm512_maskz_loadu_ps(mask_first(n).v, p)};
}
KVSPLIT_INLINE void store_first(float* p, f32x16 a, int n) { _mm512_mask_storeu_ps(p, mask_first(n).v, a.v); }
KVSPLIT_INLINE f32x16 set1(float x) { return {_mm512_set1_ps(x)}; }
KVSPLIT_INLINE i32x16 set1(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
KVSPLIT_INLINE bytes64 set1_byte(int x) { return {_mm512_set1_epi8(static_cast<char>(x))}; }
KVSPLIT_INLINE f32x16 zero_f32() { return {_mm512_setzero_ps()}; }
KVSPLIT_INLINE i32x16 zero_i32() { return {_mm512_setzero_si512()}; }

// Arithmetic
KVSPLIT_INLINE f32x16 operator+(f32x16 a, f32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
KVSPLIT_INLINE f32x16 operator-(f32x16 a, f32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
KVSPLIT_INLINE f32x16 operator*(f32x16 a, f32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
KVSPLIT_INLINE f32x16 operator/(f32x16 a, f32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
KVSPLIT_INLINE f32x16 operator-(f32x16 a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
KVSPLIT_INLINE f32x16 abs(f32x16 a) { return {_mm512_abs_ps(a.v)}; }
KVSPLIT_INLINE f32x16 fmadd(f32x16 a, f32x16 b, f32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
KVSPLIT_INLINE f32x16 fnmadd(f32x16 a, f32x16 b, f32x16 c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
KVSPLIT_INLINE f32x16 max(f32x16 a, f32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
KVSPLIT_INLINE f32x16 min(f32x16 a, f32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
KVSPLIT_INLINE f32x16 sqrt(f32x16 a) { return {_mm512_sqrt_ps(a.v)}; }
KVSPLIT_INLINE i32x16 operator+(i32x16 a, i32x16 b) { return {_mm512_add_epi32(a.v, b.v)}; }
KVSPLIT_INLINE i32x16 operator-(i32x16 a, i32x16 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
KVSPLIT_INLINE i32x16 operator*(i32x16 a, i32x16 b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
template <int n>
KVSPLIT_INLINE i32x16 shift_right_signed(i32x16 a) {
    return {_mm512_srai_epi32(a.v, n)};
}
template <int n>
KVSPLIT_INLINE i32x16 shift_left(i32x16 a) {
    return {_mm512_slli_epi32(a.v, n)};
}
template <int n>
KVSPLIT_INLINE i32x16 shift_right_logical(i32x16 a) {
    return {_mm512_srli_epi32(a.v, n)};
}
KVSPLIT_INLINE i32x16 operator&(i32x16 a, i32x16 b) { return {_mm512_and_si512(a.v, b.v)}; }
// 2^n for -127 < n < 128
KVSPLIT_INLINE f32x16 power_of_two(i32x16 n) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n.v, _mm512_set1_epi32(127)), 23))};
}

// Comparison
KVSPLIT_INLINE mask16 lt(f32x16 a, f32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
KVSPLIT_INLINE mask16 le(f32x16 a, f32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
KVSPLIT_INLINE mask16 eq(f32x16 a, f32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
KVSPLIT_INLINE mask16 lt(i32x16 a, i32x16 b) { return {_mm512_cmplt_epi32_mask(a.v, b.v)}; }
KVSPLIT_INLINE mask16 eq(i32x16 a, i32x16 b) { return {_mm512_cmpeq_epi32_mask(a.v, b.v)}; }
KVSPLIT_INLINE f32x16 select(mask16 m, f32x16 a, f32x16 b) { return {_mm512_mask_blend_ps(m.v, b.v, a.v)}; }
KVSPLIT_INLINE i32x16 select(mask16 m, i32x16 a, i32x16 b) {
    return {_mm512_mask_blend_epi32(m.v, b.v, a.v)};
}

// Lanes i and i ^ n exchanged
template <int n>
KVSPLIT_INLINE f32x16 swap_lanes(f32x16 a) {
    if constexpr (n == 1) return {_mm512_permute_ps(a.v, 0xb1)};
    if constexpr (n == 2) return {_mm512_permute_ps(a.v, 0x4e)};
    if constexpr (n == 4) return {_mm512_shuffle_f32x4(a.v, a.v, 0xb1)};
    return {_mm512_shuffle_f32x4(a.v, a.v, 0x4e)};
}

// Powers of two
// Not _mm512_reduce_ps, which rounds the difference down too.
KVSPLIT_INLINE f32x16 fraction(f32x16 a) {
    return a - f32x16{_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF)};
}
KVSPLIT_INLINE f32x16 times_power(f32x16 a, f32x16 b) {
    const __mmask16 large = _mm512_cmp_ps_mask(b.v, _mm512_set1_ps(-126.0f), _CMP_GE_OQ);
    return {_mm512_maskz_scalef_ps(large, a.v, b.v)};
}

// Reductions
KVSPLIT_INLINE float reduce_add(f32x16 a) {
    const __m256 h8 = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    const __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    const __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));
    return _mm_cvtss_f32(_mm_add_ss(h2, _mm_movehdup_ps(h2)));
}
KVSPLIT_INLINE float reduce_max(f32x16 a) {
    const __m256 h8 = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    const __m128 h4 = _mm_max_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    const __m128 h2 = _mm_max_ps(h4, _mm_movehl_ps(h4, h4));
    return _mm_cvtss_f32(_mm_max_ss(h2, _mm_movehdup_ps(h2)));
}
// Not _mm512_reduce_add_epi32, which gcc implements with signed additions: sums may wrap.
KVSPLIT_INLINE std::int32_t reduce_add(i32x16 a) {
    const __m256i h8 = _mm256_add_epi32(_mm512_castsi512_si256(a.v), _mm512_extracti64x4_epi64(a.v, 1));
    const __m128i h4 = _mm_add_epi32(_mm256_castsi256_si128(h8), _mm256_extracti128_si256(h8, 1));
    const __m128i h2 = _mm_add_epi32(h4, _mm_shuffle_epi32(h4, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(h2, _mm_shuffle_epi32(h2, 0xb1)));
}

// For four vectors at once: lane r of each 128 bits comes from vector r, then the 128 bits are folded.
KVSPLIT_INLINE f32x16 max_of_4(f32x16 a, f32x16 b, f32x16 c, f32x16 d) {
    const __m512 ab = _mm512_max_ps(_mm512_unpacklo_ps(a.v, b.v), _mm512_unpackhi_ps(a.v, b.v));
    const __m512 cd = _mm512_max_ps(_mm512_unpacklo_ps(c.v, d.v), _mm512_unpackhi_ps(c.v, d.v));
    const __m512 all = _mm512_max_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
    const __m256 h8 = _mm256_max_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    const __m128 h4 = _mm_max_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    return {_mm512_zextps128_ps512(h4)};
}
KVSPLIT_INLINE i32x16 add_of_4(i32x16 a, i32x16 b, i32x16 c, i32x16 d) {
    const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a.v, b.v), _mm512_unpackhi_epi32(a.v, b.v));
    const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c.v, d.v), _mm512_unpackhi_epi32(c.v, d.v));
    const __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    const __m256i h8 = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    const __m128i h4 = _mm_add_epi32(_mm256_castsi256_si128(h8), _mm256_extracti128_si256(h8, 1));
    return {_mm512_zextsi128_si512(h4)};
}
KVSPLIT_INLINE f32x16 add_of_4(f32x16 a, f32x16 b, f32x16 c, f32x16 d) {
    const __m512 ab =
        _mm512_add_ps(_mm512_shuffle_f32x4(a.v, b.v, 0x44), _mm512_shuffle_f32x4(a.v, b.v, 0xee));
    const __m512 cd =
        _mm512_add_ps(_mm512_shuffle_f32x4(c.v, d.v, 0x44), _mm512_shuffle_f32x4(c.v, d.v, 0xee));
    const __m512 h4 = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
    const __m512 h2 = _mm512_add_ps(h4, _mm512_permute_ps(h4, 0x4e));
    const __m512 all = _mm512_add_ps(h2, _mm512_permute_ps(h2, 0xb1));
    return {_mm512_maskz_compress_ps(0x1111, all)};
}
KVSPLIT_INLINE f32x16 join_quads(f32x16 a, f32x16 b) {
    return {_mm512_insertf32x4(a.v, _mm512_castps512_ps128(b.v), 1)};
}
KVSPLIT_INLINE i32x16 join_quads(i32x16 a, i32x16 b) {
    return {_mm512_inserti32x4(a.v, _mm512_castsi512_si128(b.v), 1)};
}

// Conversions
KVSPLIT_INLINE f32x16 to_f32(i32x16 a) { return {_mm512_cvtepi32_ps(a.v)}; }
KVSPLIT_INLINE i32x16 to_i32(f32x16 a) { return {_mm512_cvtps_epi32(a.v)}; }
KVSPLIT_INLINE __m128i load_16_bytes(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
KVSPLIT_INLINE float f16_to_f32(std::uint16_t h) { return _cvtsh_ss(h); }
KVSPLIT_INLINE f32x16 load_f16(const std::uint16_t* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
KVSPLIT_INLINE void store_f16(std::uint16_t* p, f32x16 a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
KVSPLIT_INLINE f32x16 load_bf16(const std::uint16_t* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
}
KVSPLIT_INLINE i32x16 load_i8_i32(const std::int8_t* p) { return {_mm512_cvtepi8_epi32(load_16_bytes(p))}; }
KVSPLIT_INLINE i32x16 load_u8_i32(const std::uint8_t* p) { return {_mm512_cvtepu8_epi32(load_16_bytes(p))}; }
KVSPLIT_INLINE void store_i8(std::int8_t* p, f32x16 a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(to_i32(a).v));
}

KVSPLIT_INLINE void store_low_bytes(std::uint8_t* p, i32x16 a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}

// Words
KVSPLIT_INLINE u16x32 load(const std::uint16_t* p) { return {_mm512_loadu_si512(p)}; }
KVSPLIT_INLINE void store(std::uint16_t* p, u16x32 a) { _mm512_storeu_si512(p, a.v); }
KVSPLIT_INLINE u16x32 set1_word(int x) { return {_mm512_set1_epi16(static_cast<short>(x))}; }
KVSPLIT_INLINE u16x32 operator+(u16x32 a, u16x32 b) { return {_mm512_add_epi16(a.v, b.v)}; }
KVSPLIT_INLINE u16x32 max(u16x32 a, u16x32 b) { return {_mm512_max_epu16(a.v, b.v)}; }
KVSPLIT_INLINE u16x32 average(u16x32 a, u16x32 b) { return {_mm512_avg_epu16(a.v, b.v)}; }
KVSPLIT_INLINE u16x32 multiply_high(u16x32 a, u16x32 b) { return {_mm512_mulhi_epu16(a.v, b.v)}; }
KVSPLIT_INLINE u16x32 multiply_rounded(u16x32 a, u16x32 b) { return {_mm512_mulhrs_epi16(a.v, b.v)}; }
template <int n>
KVSPLIT_INLINE u16x32 shift_left(u16x32 a) {
    return {_mm512_slli_epi16(a.v, n)};
}
template <int n>
KVSPLIT_INLINE u16x32 shift_right_logical(u16x32 a) {
    return {_mm512_srli_epi16(a.v, n)};
}
KVSPLIT_INLINE u16x32 shift_out(u16x32 a, u16x32 n) {
    return {_mm512_shldv_epi16(_mm512_setzero_si512(), a.v, n.v)};
}
KVSPLIT_INLINE i32x16 add_pairs(i32x16 acc, u16x32 a) {
    return {_mm512_dpwssd_epi32(acc.v, a.v, _mm512_set1_epi16(1))};
}
KVSPLIT_INLINE i32x16 max_of_4(u16x32 a, u16x32 b, u16x32 c, u16x32 d) {
    const __m512i ab = _mm512_max_epu16(_mm512_unpacklo_epi16(a.v, b.v), _mm512_unpackhi_epi16(a.v, b.v));
    const __m512i cd = _mm512_max_epu16(_mm512_unpacklo_epi16(c.v, d.v), _mm512_unpackhi_epi16(c.v, d.v));
    const __m512i all = _mm512_max_epu16(_mm512_unpacklo_epi32(ab, cd), _mm512_unpackhi_epi32(ab, cd));
    const __m256i h16 = _mm256_max_epu16(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    const __m128i h8 = _mm_max_epu16(_mm256_castsi256_si128(h16), _mm256_extracti128_si256(h16, 1));
    const __m128i h4 = _mm_max_epu16(h8, _mm_unpackhi_epi64(h8, h8));
    return {_mm512_zextsi128_si512(_mm_cvtepu16_epi32(h4))};
}
KVSPLIT_INLINE u16x32 as_words(i32x16 a) { return {a.v}; }
KVSPLIT_INLINE u16x32 pack_words(i32x16 a, i32x16 b) { return {_mm512_packus_epi32(a.v, b.v)}; }

// Bytes
KVSPLIT_INLINE bytes64 pack_bytes(u16x32 a, u16x32 b) { return {_mm512_packus_epi16(a.v, b.v)}; }
KVSPLIT_INLINE void pack_sevens(const i32x16 (&v)[4], bytes64& low, bytes64& high) {
    const __m512i a = _mm512_packus_epi32(v[0].v, v[1].v), b = _mm512_packus_epi32(v[2].v, v[3].v);
    const __m512i mask = _mm512_set1_epi16(0x7f);
    low.v = _mm512_packus_epi16(_mm512_and_si512(a, mask), _mm512_and_si512(b, mask));
    high.v = _mm512_packus_epi16(_mm512_srli_epi16(a, 7), _mm512_srli_epi16(b, 7));
}
// Not _mm512_dpbusd_epi32: gcc 12 copies its sums in loops, once for every two products.
KVSPLIT_INLINE i32x16 dot4(i32x16 acc, bytes64 a, bytes64 b) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc.v) : "v"(a.v), "v"(b.v));
    return acc;
}
KVSPLIT_INLINE i32x16 dot4_small(i32x16 acc, bytes64 a, bytes64 b) { return dot4(acc, a, b); }
KVSPLIT_INLINE i32x16 dot4_unsigned(i32x16 acc, bytes64 a, bytes64 b) { return dot4(acc, a, b); }
inline constexpr int kKeyFlip = 0x80;
KVSPLIT_INLINE i32x16 dot4_keys(i32x16 acc, bytes64 a, bytes64 b) { return dot4(acc, a, b); }
KVSPLIT_INLINE bytes64 set1_4bytes(const void* p) {
    std::int32_t word;
    std::memcpy(&word, p, 4);
    return {_mm512_set1_epi32(word)};
}
KVSPLIT_INLINE bytes64 operator&(bytes64 a, bytes64 b) { return {_mm512_and_si512(a.v, b.v)}; }
KVSPLIT_INLINE bytes64 operator|(bytes64 a, bytes64 b) { return {_mm512_or_si512(a.v, b.v)}; }
KVSPLIT_INLINE bytes64 operator^(bytes64 a, bytes64 b) { return {_mm512_xor_si512(a.v, b.v)}; }
KVSPLIT_INLINE bytes64 operator+(bytes64 a, bytes64 b) { return {_mm512_add_epi8(a.v, b.v)}; }
KVSPLIT_INLINE bytes64 low_nibbles(bytes64 a) { return a & set1_byte(0x0f); }
template <int n>
KVSPLIT_INLINE bytes64 shift_right_bytes(bytes64 a) {
    return bytes64{_mm512_srli_epi16(a.v, n)} & set1_byte(0xff >> n);
}
template <int n>
KVSPLIT_INLINE bytes64 shift_left_bytes(bytes64 a) {
    return bytes64{_mm512_slli_epi16(a.v, n)} & set1_byte(0xff << n);
}
KVSPLIT_INLINE bytes64 high_nibbles(bytes64 a) { return shift_right_bytes<4>(a); }
KVSPLIT_INLINE bytes64 load_table16(const void* p) { return {_mm512_broadcast_i32x4(load_16_bytes(p))}; }
KVSPLIT_INLINE bytes64 lookup16(bytes64 table, bytes64 index) {
    return {_mm512_shuffle_epi8(table.v, index.v)};
}
// Indices of this permutation have six bits and the table repeats after 16 bytes, so no masking is needed.
KVSPLIT_INLINE bytes64 lookup_low_nibbles(bytes64 table, bytes64 a) {
    return {_mm512_permutexvar_epi8(a.v, table.v)};
}
KVSPLIT_INLINE bytes64 lookup_high_nibbles(bytes64 table, bytes64 a) {
    return {_mm512_permutexvar_epi8(_mm512_srli_epi16(a.v, 4), table.v)};
}
KVSPLIT_INLINE mask64 load_mask64(const void* p) {
    std::uint64_t bits;
    std::memcpy(&bits, p, 8);
    return {bits};
}
KVSPLIT_INLINE bytes64 add_where(mask64 m, bytes64 a, bytes64 b) {
    return {_mm512_mask_add_epi8(a.v, m.v, a.v, b.v)};
}
// The same bits, another type:
KVSPLIT_INLINE bytes64 as_bytes(i32x16 a) { return {a.v}; }
KVSPLIT_INLINE i32x16 as_i32(bytes64 a) { return {a.v}; }
KVSPLIT_INLINE f32x16 load_i8_f32(const std::int8_t* p) { return to_f32(load_i8_i32(p)); }

KVSPLIT_INLINE void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
