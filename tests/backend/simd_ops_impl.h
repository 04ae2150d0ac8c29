// The table of simd_ops.h for one instruction set.
#pragma once

#include "backend/cpu/simd/simd.h"
#include "backend/cpu/simd/simd_pages.h"
#include "backend/simd_ops.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

template <f32x16 op(f32x16)>
void f1(const float* a, float* out) {
    store(out, op(load(a)));
}
template <f32x16 op(f32x16, f32x16)>
void f2(const float* a, const float* b, float* out) {
    store(out, op(load(a), load(b)));
}
template <i32x16 op(i32x16, i32x16)>
void i2(const std::int32_t* a, const std::int32_t* b, std::int32_t* out) {
    store(out, op(load(a), load(b)));
}
template <bytes64 op(bytes64, bytes64)>
void b2(const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out) {
    store_bytes(out, op(load_bytes(a), load_bytes(b)));
}
// Named, because operators as template arguments confuse the formatter.
f32x16 plus(f32x16 a, f32x16 b) { return a + b; }
f32x16 minus(f32x16 a, f32x16 b) { return a - b; }
f32x16 times(f32x16 a, f32x16 b) { return a * b; }
f32x16 over(f32x16 a, f32x16 b) { return a / b; }
i32x16 plus(i32x16 a, i32x16 b) { return a + b; }
i32x16 minus(i32x16 a, i32x16 b) { return a - b; }
i32x16 times(i32x16 a, i32x16 b) { return a * b; }
i32x16 both(i32x16 a, i32x16 b) { return a & b; }
bytes64 plus(bytes64 a, bytes64 b) { return a + b; }
bytes64 both(bytes64 a, bytes64 b) { return a & b; }
bytes64 either(bytes64 a, bytes64 b) { return a | b; }
bytes64 differing(bytes64 a, bytes64 b) { return a ^ b; }
f32x16 negate(f32x16 a) { return -a; }
// For finite numbers, in a range where the fraction is not lost.
f32x16 finite_fraction(f32x16 a) { return fraction(min(max(a, set1(-1e6f)), set1(1e6f))); }
// 1.25 * 2^a down to 0.
f32x16 power_of_halves(f32x16 a) { return times_power(set1(1.25f), min(a, set1(120.0f))); }
// exp2_below in its own range
f32x16 exp2_negative(f32x16 a) { return exp2_below(-abs(a)); }
f32x16 quad_row_maxima(f32x16 a) {
    const f32x16 finite = min(max(a, set1(-3e38f)), set1(3e38f));
    return max_of_4(finite, -finite, swap_lanes<4>(finite) * set1(0.5f), abs(finite));
}
f32x16 float_row_sums(f32x16 a) {
    const f32x16 finite = min(max(a, set1(-1e30f)), set1(1e30f));
    return add_of_4(finite, -finite, swap_lanes<4>(finite) * set1(0.5f), abs(finite));
}
f32x16 power(f32x16 a) { return power_of_two(to_i32(a)); }
f32x16 select_lt(f32x16 a, f32x16 b) { return select(lt(a, b), a, b); }
f32x16 select_le(f32x16 a, f32x16 b) { return select(le(a, b), a, b); }
f32x16 select_eq(f32x16 a, f32x16 b) { return select(eq(a, b), set1(1.0f), zero_f32()); }
f32x16 bits_lt(f32x16 a, f32x16 b) { return set1(static_cast<float>(mask_bits(lt(a, b)))); }
i32x16 select_lt_i32(i32x16 a, i32x16 b) { return select(lt(a, b), a, b); }
i32x16 select_eq_i32(i32x16 a, i32x16 b) { return select(eq(a, b), set1(1), zero_i32()); }
i32x16 shifts(i32x16 a, i32x16 b) {
    return shift_left<3>(a) + shift_right_signed<5>(a) + shift_right_logical<7>(b);
}
template <u16x32 op(u16x32, u16x32)>
void w2(const std::uint16_t* a, const std::uint16_t* b, std::uint16_t* out) {
    store(out, op(load(a), load(b)));
}
u16x32 plus(u16x32 a, u16x32 b) { return a + b; }
u16x32 small(u16x32 a) { return shift_right_logical<1>(a); }
u16x32 multiply_small(u16x32 a, u16x32 b) { return multiply_rounded(small(a), small(b)); }
u16x32 shift_words(u16x32 a, u16x32 b) { return shift_left<3>(a) + shift_right_logical<5>(b); }
u16x32 shift_out_words(u16x32 a, u16x32 b) { return shift_out(a, shift_right_logical<12>(b)); }
u16x32 exponents(u16x32 a, u16x32) { return exp2_words(a); }
i32x16 packed_words(i32x16 a, i32x16 b) {
    std::int32_t out[16];
    std::uint16_t words[32];
    store(words, pack_words(a, shift_right_signed<15>(b)));
    std::memcpy(out, words, sizeof out);
    return load(out);
}
i32x16 sums_of_pairs(i32x16 a, i32x16 b) {
    std::uint16_t words[32];
    std::int32_t ints[16];
    store(ints, b);
    std::memcpy(words, ints, sizeof words);
    return add_pairs(a, small(load(words)));
}
i32x16 maxima_of_words(i32x16 a, i32x16 b) {
    return max_of_4(as_words(a), as_words(b), as_words(a + b), as_words(a & b));
}
i32x16 two_quads(i32x16 a, i32x16 b) { return join_quads(a, b); }
f32x16 two_quads(f32x16 a, f32x16 b) { return join_quads(a, b); }
i32x16 row_sums(i32x16 a, i32x16 b) { return add_of_4(a, b, a + b, a & b); }
template <int i>
bytes64 transposed(bytes64 a, bytes64 b) {
    bytes64 out[4];
    transpose_quads({a, b, a + b, a ^ b}, out);
    return out[i];
}
i32x16 masked_ints(bytes64 a, std::int32_t mask) { return as_i32(a) & set1(mask); }
bytes64 packed_bytes(bytes64 a, bytes64 b) {
    return pack_bytes(pack_words(masked_ints(a, 0xff), masked_ints(b, 0xff)),
                      pack_words(masked_ints(a + b, 0xff), masked_ints(a ^ b, 0xff)));
}
template <bool high>
bytes64 packed_sevens(bytes64 a, bytes64 b) {
    const i32x16 v[4] = {masked_ints(a, 0x3fff), masked_ints(b, 0x3fff), masked_ints(a + b, 0x3fff),
                         masked_ints(a ^ b, 0x3fff)};
    bytes64 halves[2];
    pack_sevens(v, halves[0], halves[1]);
    return halves[high];
}
bytes64 low(bytes64 a, bytes64) { return low_nibbles(a); }
bytes64 high(bytes64 a, bytes64) { return high_nibbles(a); }
bytes64 left2(bytes64 a, bytes64) { return shift_left_bytes<2>(a); }
bytes64 right3(bytes64 a, bytes64) { return shift_right_bytes<3>(a); }
void lookup(const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out) {
    store_bytes(out, lookup16(load_table16(b), low_nibbles(load_bytes(a))));
}
void lookup_low(const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out) {
    store_bytes(out, lookup_low_nibbles(load_table16(b), load_bytes(a)));
}
void lookup_high(const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out) {
    store_bytes(out, lookup_high_nibbles(load_table16(b), load_bytes(a)));
}
void masked(const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out) {
    store_bytes(out, add_where(load_mask64(b), load_bytes(a), set1_byte(200)));
}
void four(const std::uint8_t* a, const std::uint8_t*, std::uint8_t* out) {
    store_bytes(out, set1_4bytes(a + 5));
}
void cast(const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out) {
    store_bytes(out, as_bytes(as_i32(load_bytes(a)) + as_i32(load_bytes(b))));
}

extern const test::SimdOps simd_ops;
const test::SimdOps simd_ops = {
    .unary = {{"negate", f1<negate>},
              {"abs", f1<abs>},
              {"sqrt", f1<sqrt>},
              {"swap_lanes 1", f1<swap_lanes<1>>},
              {"swap_lanes 2", f1<swap_lanes<2>>},
              {"swap_lanes 4", f1<swap_lanes<4>>},
              {"swap_lanes 8", f1<swap_lanes<8>>},
              {"fraction", f1<finite_fraction>},
              {"times_power", f1<power_of_halves>},
              {"max_of_4", f1<quad_row_maxima>},
              {"add_of_4", f1<float_row_sums>},
              {"power_of_two", f1<power>},
              {"copy", [](const float* a, float* out) { store(out, load(a)); }}},
    .binary = {{"add", f2<plus>},
               {"sub", f2<minus>},
               {"mul", f2<times>},
               {"div", f2<over>},
               {"max", f2<max>},
               {"min", f2<min>},
               {"select lt", f2<select_lt>},
               {"select le", f2<select_le>},
               {"select eq", f2<select_eq>},
               {"mask bits", f2<bits_lt>},
               {"join_quads", f2<two_quads>},
               {"set1", [](const float* a, const float*, float* out) { store(out, set1(a[3])); }},
               {"zero", [](const float*, const float*, float* out) { store(out, zero_f32()); }}},
    .integer = {{"add", i2<plus>},
                {"sub", i2<minus>},
                {"mul", i2<times>},
                {"and", i2<both>},
                {"select lt", i2<select_lt_i32>},
                {"select eq", i2<select_eq_i32>},
                {"shifts", i2<shifts>},
                {"add_of_4", i2<row_sums>},
                {"join_quads", i2<two_quads>},
                {"pack_words", i2<packed_words>},
                {"add_pairs", i2<sums_of_pairs>},
                {"max_of_4 words", i2<maxima_of_words>},
                {"set1", [](const auto* a, const auto*, auto* out) { store(out, set1(a[9])); }},
                {"low bytes",
                 [](const auto* a, const auto* b, auto* out) {
                     store(out, load(b));
                     store_low_bytes(reinterpret_cast<std::uint8_t*>(out), load(a));
                 }}},
    .words = {{"add", w2<plus>},
              {"max", w2<max>},
              {"average", w2<average>},
              {"multiply_high", w2<multiply_high>},
              {"multiply_rounded", w2<multiply_small>},
              {"shifts", w2<shift_words>},
              {"shift_out", w2<shift_out_words>},
              {"exp2_words", w2<exponents>},
              {"set1_word", [](const auto* a, const auto*, auto* out) { store(out, set1_word(a[7])); }}},
    .bytes = {{"and", b2<both>},
              {"or", b2<either>},
              {"xor", b2<differing>},
              {"add", b2<plus>},
              {"low_nibbles", b2<low>},
              {"high_nibbles", b2<high>},
              {"shift left", b2<left2>},
              {"shift right", b2<right3>},
              {"lookup16", lookup},
              {"lookup low nibbles", lookup_low},
              {"lookup high nibbles", lookup_high},
              {"add_where", masked},
              {"set1_4bytes", four},
              {"as_i32", cast},
              {"transpose_quads 0", b2<transposed<0>>},
              {"transpose_quads 1", b2<transposed<1>>},
              {"transpose_quads 2", b2<transposed<2>>},
              {"transpose_quads 3", b2<transposed<3>>},
              {"pack_bytes", b2<packed_bytes>},
              {"pack_sevens low", b2<packed_sevens<false>>},
              {"pack_sevens high", b2<packed_sevens<true>>}},
    .fused = {{"exp", f1<exp>},
              {"sigmoid", f1<sigmoid>},
              {"silu", f1<silu>},
              {"gelu_tanh", f1<gelu_tanh>},
              {"tanh", f1<tanh>},
              {"exp2_below", f1<exp2_negative>}},
    .reduce_add = [](const float* a) { return reduce_add(load(a)); },
    .reduce_max = [](const float* a) { return reduce_max(load(a)); },
    .reduce_add_i32 = [](const std::int32_t* a) { return reduce_add(load(a)); },
    .to_i32 = [](const float* a, std::int32_t* out) { store(out, to_i32(load(a))); },
    .to_f32 = [](const std::int32_t* a, float* out) { store(out, to_f32(load(a))); },
    .f16_to_f32 = [](std::uint16_t h) { return f16_to_f32(h); },
    .load_f16 = [](const std::uint16_t* a, float* out) { store(out, load_f16(a)); },
    .store_f16 = [](const float* a, std::uint16_t* out) { store_f16(out, load(a)); },
    .load_bf16 = [](const std::uint16_t* a, float* out) { store(out, load_bf16(a)); },
    .load_i8 = [](const std::int8_t* a, std::int32_t* out) { store(out, load_i8_i32(a)); },
    .load_u8 = [](const std::uint8_t* a, std::int32_t* out) { store(out, load_u8_i32(a)); },
    .store_i8 = [](const float* a, std::int8_t* out) { store_i8(out, load(a)); },
    .first = [](const float* a, int n, float* out) { store_first(out, load_first(a, n), n); },
    .mask_first = [](int n) { return mask_bits(mask_first(n)); },
    .fmadd =
        [](const float* a, const float* b, const float* c, float* out) {
            store(out, fmadd(load(a), load(b), load(c)));
            store(out + 16, fnmadd(load(a), load(b), load(c)));
        },
    .dot4 = [](const auto* acc, const auto* a, const auto* b,
               auto* out) { store(out, dot4(load(acc), load_bytes(a), load_bytes(b))); },
    .dot4_keys =
        [](const auto* acc, const auto* a, const auto* b, auto* out) {
            const i32x16 sums = dot4(zero_i32(), set1_byte(1), load_bytes(b));
            const bytes64 operand = load_bytes(a) ^ set1_byte(kKeyFlip);
            store(out, dot4_keys(load(acc), operand, load_bytes(b)) - sums * set1(std::int32_t{kKeyFlip}));
        },
    .dot4_small = [](const auto* acc, const auto* a, const auto* b,
                     auto* out) { store(out, dot4_small(load(acc), load_bytes(a), load_bytes(b))); },
    .dot4_unsigned = [](const auto* acc, const auto* a, const auto* b,
                        auto* out) { store(out, dot4_unsigned(load(acc), load_bytes(a), load_bytes(b))); },
};

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
