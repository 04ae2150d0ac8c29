// The online softmax with weights of 8 bits, computed in 16-bit words. Part of a kernel translation unit
// (simd.h).
//
// For weights of 8 bits, exponents in 16-bit integers are accurate enough, and an operation takes 32 of them
// instead of 16. They are relative to the page's largest logit rather than the largest so far, so that many
// pages of small weight keep their bits.
#pragma once

#include "backend/cpu/attention_kernels.h"
#include "backend/cpu/simd/simd.h"
#include "backend/cpu/softmax_impl.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

// The scales of a page's values in one scale group.
struct ValueScales {
    u16x32 ratio[2];  // relative to the largest, times 2^16, in the order of pack_words
    float largest;

    // scales: (64)
    KVSPLIT_INLINE explicit ValueScales(const std::uint16_t* scales) {
        f32x16 scale[kVectors];
        for (int v = 0; v < kVectors; ++v) scale[v] = load_f16(scales + v * 16);
        largest = reduce_max(max_of_tokens(scale));
        const f32x16 inverse = set1(largest > 0 ? 65535.0f / largest : 0.0f);
        for (int h = 0; h < 2; ++h)
            ratio[h] = pack_words(to_i32(scale[2 * h] * inverse), to_i32(scale[2 * h + 1] * inverse));
    }
};

// Weights of R rows, as words, times the values' scales.
template <int R>
struct ScaledWeights {
    alignas(64) std::uint16_t product[R][kTokens];
    u16x32 largest[R];  // the maximum is in one of the lanes

    KVSPLIT_INLINE void set(int r, u16x32 first, u16x32 second, const ValueScales& scales) {
        first = multiply_high(first, scales.ratio[0]);
        second = multiply_high(second, scales.ratio[1]);
        store(product[r], first);
        store(product[r] + 32, second);
        largest[r] = max(first, second);
    }
};

// Rounds scaled weights to integers. Each row's largest becomes 255 or slightly less, since the factor is an
// integer too.
template <int R, typename Grid>
KVSPLIT_INLINE void round_scaled(const ScaledWeights<R>& weights, const RowBlock& block,
                                 const ValueScales& scales, IntegerWeights& out) {
    const f32x16 top = to_f32(of_row_quads<R>([&](auto row) KVSPLIT_LAMBDA_INLINE {
        const u16x32(&x)[R] = weights.largest;
        return max_of_4(x[row(0)], x[row(1)], x[row(2)], x[row(3)]);
    }));
    const i32x16 factor = to_i32(min(set1(255.0f * 32768.0f) / top, set1(32767.0f)) - set1(0.5f));
    alignas(64) std::int32_t factors[16];  // in both halves
    store(factors, factor + shift_left<16>(factor));
    broadcast_from_memory(factors);
    i32x16 sum[R];
    for (int r = 0; r < R; ++r) {
        const u16x32 f = as_words(set1(factors[r]));
        const bytes64 n = pack_bytes(multiply_rounded(load(weights.product[r]), f),
                                     multiply_rounded(load(weights.product[r] + 32), f));
        store_bytes(out.plane[0][r], n);
        if constexpr (Grid::kOffset != 0) sum[r] = dot4(zero_i32(), n, set1_byte(1));
    }
    // A word times a ratio is the product times 2^16, and that is an integer times 2^15 / factor.
    constexpr float kUnit = Grid::kFactor * (65536.0f * 32768.0f / 65535.0f);
    store(out.unit, load(block.unit) * set1(scales.largest * kUnit) / to_f32(factor));
    if constexpr (Grid::kOffset != 0) {
        store(out.sum, of_row_quads<R>([&](auto row) KVSPLIT_LAMBDA_INLINE {
                  return add_of_4(sum[row(0)], sum[row(1)], sum[row(2)], sum[row(3)]);
              }));
    }
}

// Turns scores of R rows into weights in block.words and, times the values' scales (64), into integers;
// updates the state's maxima and sums. Rows see the tokens [low[r], high[r]), or all. max (R), sum (R, 16).
template <int R, typename Grid>
KVSPLIT_INLINE void soften_to_bytes(RowBlock& block, bool whole, const int* low, const int* high,
                                    float* max_state, float* sum_state, const std::uint16_t* value_scales,
                                    IntegerWeights& out) {
    f32x16 top_of[R];
    for (int r = 0; r < R; ++r) {
        f32x16 s[kVectors];
        for (int v = 0; v < kVectors; ++v) s[v] = load(block.scores[r] + v * 16);
        if (!whole) {
            mask_tokens(s, low[r], high[r]);
            for (int v = 0; v < kVectors; ++v) store(block.scores[r] + v * 16, s[v]);
        }
        top_of[r] = max_of_tokens(s);
    }
    const f32x16 factor = load(block.factor), offset = load(block.offset), none = set1(kMinusInfinity);
    const f32x16 page = fmadd(maxima_of_rows<R>(top_of), factor, offset), old = load_first(max_state, R);
    const f32x16 top = max(old, page);
    store_first(max_state, top, R);
    const mask16 higher = lt(old, page);
    block.rescaled = (mask_bits(higher) & ((1u << R) - 1)) != 0;
    // One of old and page is the new maximum, so only the other needs an exponential.
    const f32x16 ratio = exp2_below(min(old, page) - select(eq(top, none), zero_f32(), top)),
                 one = set1(1.0f);
    store(block.rescale, select(higher, ratio, one));
    store(block.unit, select(higher, one, ratio) * set1(1.0f / 32768));
    alignas(64) float factors[16], offsets[16];  // turn scores into exponents for exp2_words
    const f32x16 reference = select(eq(page, none), zero_f32(), page);
    store(factors, factor * set1(4096.0f));
    store(offsets, fmadd(offset - reference, set1(4096.0f), set1(65535.0f)));
    broadcast_from_memory(factors);
    broadcast_from_memory(offsets);
    broadcast_from_memory(block.rescale);
    broadcast_from_memory(block.unit);
    const ValueScales scales(value_scales);
    ScaledWeights<R> weights;
    for (int r = 0; r < R; ++r) {
        const f32x16 times = set1(factors[r]), plus = set1(offsets[r]);
        u16x32 word[2];
        i32x16 total = zero_i32();
        for (int h = 0; h < 2; ++h) {
            const float* s = block.scores[r] + h * 32;
            const i32x16 first = to_i32(fmadd(load(s), times, plus)),
                         second = to_i32(fmadd(load(s + 16), times, plus));
            word[h] = exp2_words(pack_words(first, second));
            store(block.words[r] + h * 32, word[h]);
            total = add_pairs(total, word[h]);
        }
        weights.set(r, word[0], word[1], scales);
        float* sum = sum_state + r * 16;
        store(sum, fmadd(load(sum), set1(block.rescale[r]), to_f32(total) * set1(block.unit[r])));
    }
    round_scaled<R, Grid>(weights, block, scales, out);
}

// Rounds the block's weights times another scale group's scales to integers.
template <int R, typename Grid>
KVSPLIT_INLINE void round_words(const RowBlock& block, const std::uint16_t* value_scales,
                                IntegerWeights& out) {
    const ValueScales scales(value_scales);
    ScaledWeights<R> weights;
    for (int r = 0; r < R; ++r) weights.set(r, load(block.words[r]), load(block.words[r] + 32), scales);
    round_scaled<R, Grid>(weights, block, scales, out);
}

// The sum of a row's weights.
KVSPLIT_INLINE float sum_of_words(const RowBlock& block, int r) {
    const i32x16 sums = add_pairs(add_pairs(zero_i32(), load(block.words[r])), load(block.words[r] + 32));
    return static_cast<float>(reduce_add(sums)) * block.unit[r];
}

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
