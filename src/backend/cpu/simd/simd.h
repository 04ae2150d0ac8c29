// Sixteen-lane vectors: kernels are written once against these types and compiled once per instruction set.
//
// A kernel's translation unit defines KVSPLIT_ISA_NAMESPACE (portable, avx2, ...) and exactly one of
// KVSPLIT_ISA_PORTABLE, KVSPLIT_ISA_AVX2 (optionally with KVSPLIT_ISA_AVXVNNI), KVSPLIT_ISA_AVX512,
// KVSPLIT_ISA_NEON (optionally with KVSPLIT_ISA_I8MM), and is compiled with that set's flags (see
// kvsplit_isa_sources in cmake/isas.cmake). Everything here and in the kernels lives in namespace
// kvsplit::cpu::KVSPLIT_ISA_NAMESPACE: a function compiled for AVX-512 then never has the same name as one
// compiled for AVX2, and the linker cannot pick the wrong copy. For the same reason kernels use no templates
// or inline functions of the standard library.
//
// Types: f32x16, i32x16, u16x32, bytes64 (64 raw bytes; the operation decides on signs), mask16, mask64. Lane
// i of a 16-lane type occupies bytes 4i .. 4i+3 of a bytes64.
//
// All sets compute the same function of their inputs, bit for bit, except that the portable set's fmadd
// rounds twice (a * b, then + c) where the others round once. Integer operations, conversions and reductions
// agree exactly.
//
// clang-format off
//   load(p), store(p, v)        unaligned, float and int32; load_bytes, store_bytes for bytes64
//   load_first(p, n)            lanes n.. are 0; store_first(p, v, n) writes lanes below n (0 <= n <= 16)
//   set1, zero_f32, zero_i32
//   + - * /                     f32x16; + - * & i32x16; + & | ^ bytes64
//   fmadd(a, b, c) = a * b + c, fnmadd(a, b, c) = c - a * b, sqrt, abs
//   max(a, b) = a > b ? a : b   so a NaN in either argument gives b; min(a, b) = a < b ? a : b
//   shift_left<n>, shift_right_signed<n>, shift_right_logical<n>, power_of_two    on i32x16
//   swap_lanes<n>(v)            lanes i and i ^ n exchanged, n = 1, 2, 4 or 8
//   fraction(v) = v - floor(v)  times_power(a, b) = a * 2^floor(b) where b >= -126, else 0; for a in [1, 2]
//   lt, le, eq                  mask16; select(m, a, b) = m ? a : b; mask_first(n); mask_bits(m)
//   reduce_add, reduce_max      halves are folded: lane i with i + 8, then i + 4, i + 2, i + 1
//   max_of_4(a, b, c, d), add_of_4   lanes 0 to 3: reduce_max or reduce_add of each; the other lanes are 0
//   join_quads(a, b)            lanes 0 to 3 of a, then of b; the rest is from a
//   to_f32, to_i32              to_i32 rounds to nearest even; NaN and values out of range give INT32_MIN
//   f16_to_f32(h), load_f16, store_f16, load_bf16, load_i8_f32, load_i8_i32, load_u8_i32
//   store_i8(p, v)              rounds and saturates; store_low_bytes(p, v): the lowest byte of each i32 lane
//   load, store, set1_word, +, shift_left<n>, shift_right_logical<n>    on u16x32
//   max, max_of_4 (an i32x16), as_words(i32x16)
//   average(a, b) = (a + b + 1) / 2, multiply_high(a, b) = a * b >> 16, shift_out(a, n) = a >> 16 - n, 0 <= n < 16
//   multiply_rounded(a, b)      (a * b + 2^14) >> 15, for a, b < 2^15
//   add_pairs(acc, a)           acc[i] += a[2i] + a[2i + 1], for a < 2^15
//   pack_words(a, b)            of two i32x16, saturated: quad 2i is lanes 4i .. 4i + 3 of a, quad 2i + 1 those of b
//   pack_bytes(a, b)            of two u16x32 in 0..255. Of pack_words(v[0], v[1]) and (v[2], v[3]): quad 4i + j is
//                               that of v[j] from 4i on
//   pack_sevens(v, low, high)   the same of v[4] in 0..16383: their lowest seven bits, and the next seven
//   dot4(acc, a, b)             acc[i] += sum over j < 4 of u8 a[4i+j] * s8 b[4i+j], exact
//   dot4_small(acc, a, b)       the same for a <= 127, cheaper on AVX2 and NEON
//   dot4_unsigned(acc, a, b)    the same for 0 <= b <= 63
//   dot4_keys(acc, a, b)        acc[i] += sum of s8 x s8 b[4i+j], b > -128; a has x ^ kKeyFlip; if kKeyFlip is
//                               0x80 the sum is larger by 128 times that of b
//   with KVSPLIT_WORD_PRODUCTS alone:
//   dot4_words(acc, a, even, odd)    the same of bytes a and words: s16 even[2i], odd[2i], even[2i+1], odd[2i+1]
//   store_word_quads(p, v)      lanes 4i, 4i + 2, 4i + 1, 4i + 3 for each i, as words; returns the sum of all
//   set1_4bytes(p)              the four bytes at p in every lane
//   low_nibbles, high_nibbles, shift_left_bytes<n>, shift_right_bytes<n>
//   lookup16(load_table16(p), index < 16); lookup_low_nibbles(table, v), lookup_high_nibbles(table, v)
//   load_mask64(p)              bit i of the 8 bytes at p; add_where(m, a, b) = a + (m ? b : 0) per byte
//   exp, exp2_below, exp2_words, sigmoid, softplus, identity, silu, gelu, gelu_tanh, relu_squared, tanh
// clang-format on
#pragma once

#if !defined(KVSPLIT_ISA_NAMESPACE)
#error "define KVSPLIT_ISA_NAMESPACE and KVSPLIT_ISA_PORTABLE, _AVX2, _AVX512 or _NEON"
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// With sanitizers, inlining everything takes minutes to compile.
#define KVSPLIT_INLINE inline
#define KVSPLIT_LAMBDA_INLINE
#else
#define KVSPLIT_INLINE inline __attribute__((always_inline))
#define KVSPLIT_LAMBDA_INLINE __attribute__((always_inline))
#endif
#define KVSPLIT_NOINLINE __attribute__((noinline))

#if defined(KVSPLIT_ISA_AVX512)
#include "backend/cpu/simd/simd_avx512.h"
#elif defined(KVSPLIT_ISA_AVX2)
#include "backend/cpu/simd/simd_avx2.h"
#elif defined(KVSPLIT_ISA_NEON)
#include "backend/cpu/simd/simd_neon.h"
#else
#include "backend/cpu/simd/simd_portable.h"
#endif

#if defined(KVSPLIT_ISA_PORTABLE)
// Operations are long here. Leaving inlining to the compiler gives equally fast code in a third of the
// compile time.
#undef KVSPLIT_INLINE
#define KVSPLIT_INLINE inline
#undef KVSPLIT_LAMBDA_INLINE
#define KVSPLIT_LAMBDA_INLINE
#endif

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

// Makes later broadcasts of elements of x load from memory, which is free, while compilers would broadcast
// from a register with a shuffle.
template <typename T>
KVSPLIT_INLINE void broadcast_from_memory(T& x) {
    __asm__("" : "+m"(x));
}

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE

#include "backend/cpu/simd/simd_math.h"
