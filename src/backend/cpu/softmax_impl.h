// The online softmax of attention, and its weights as integers. Part of a kernel translation unit (simd.h).
//
// Several rows are processed together, so that per-row numbers (a maximum, a scale) of all rows share one
// vector operation. A row's results do not depend on the other rows. Logits are multiplied by log2(e), so
// weights are powers of two.
#pragma once

#include "backend/cpu/attention_kernels.h"
#include "backend/cpu/simd/simd.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

inline constexpr int kTokens = codec::kPageTokens;
inline constexpr int kVectors = kTokens / 16;  // token vectors of a page
// The most rows processed together; they share loaded codes.
#if defined(KVSPLIT_ISA_AVX512)
inline constexpr int kRowBlock = 8;
#elif defined(KVSPLIT_ISA_PORTABLE)
inline constexpr int kRowBlock = 2;
#else
inline constexpr int kRowBlock = 4;
#endif
// Rows of a block whose maxima, scales and sums share one operation.
inline constexpr int kRowQuad = 4;
inline constexpr float kMinusInfinity = -__builtin_inff();
inline constexpr float kLog2E = 1.44269504088896341f;

KVSPLIT_INLINE f32x16 load_up_to_16(const float* p, int n) { return n >= 16 ? load(p) : load_first(p, n); }

struct RowBlock {
    alignas(64) float scores[kRowBlock][kTokens];         // later weights; with 8 bits (byte_weights_impl.h)
    alignas(64) std::uint16_t words[kRowBlock][kTokens];  // weights are here, in the order of pack_words
    alignas(64) float unit[16];                           // per row: the value of a word of 1
    // Per row: logits are factor * score + offset; factor is not 0.
    alignas(64) float factor[32], offset[32];
    alignas(64) float rescale[32];  // per row: factor of the sums so far
    bool rescaled;                  // whether any of these is not 1
};

template <int count>
struct Rows {
    static constexpr int n = count;
};

// A compile-time choice: f(Flag<true>{}) or f(Flag<false>{}).
template <bool is>
struct Flag {
    static constexpr bool value = is;
};
template <typename F>
KVSPLIT_INLINE void with_flag(bool value, F f) {
    if (value) {
        f(Flag<true>{});
    } else {
        f(Flag<false>{});
    }
}

// How many of `left` rows are processed together.
KVSPLIT_INLINE int rows_of_block(int left) {
    return left >= kRowBlock ? kRowBlock : left >= kRowQuad ? kRowQuad : left;
}

// f(Rows<n>{}) for the n of rows_of_block(); n is at least `least`.
template <int least = 1, typename F>
KVSPLIT_INLINE void with_rows(int n, F f) {
    if constexpr (least == kRowBlock) {
        f(Rows<kRowBlock>{});
    } else if (n == least) {
        f(Rows<least>{});
    } else {
        with_rows<(least < kRowQuad ? least + 1 : kRowBlock)>(n, f);
    }
}

// Collects a number of each of R rows, row r in lane r, from of_quad, which finds it for four rows at once.
// of_quad(row) handles row(0) to row(3); with fewer rows some of these are equal.
template <int R, typename F>
KVSPLIT_INLINE auto of_row_quads(F of_quad) {
    const auto quad = [&](int first) KVSPLIT_LAMBDA_INLINE {
        return of_quad([first](int i) KVSPLIT_LAMBDA_INLINE { return first + i < R ? first + i : first; });
    };
    if constexpr (R <= kRowQuad) {
        return quad(0);
    } else {
        return join_quads(quad(0), quad(kRowQuad));
    }
}

// Reduces a page's numbers to one vector that contains their maximum.
KVSPLIT_INLINE f32x16 max_of_tokens(const f32x16 (&x)[kVectors]) {
    return max(max(x[0], x[1]), max(x[2], x[3]));
}
// The largest element of each of R vectors: that of vector r in lane r.
template <int R>
KVSPLIT_INLINE f32x16 maxima_of_rows(const f32x16 (&x)[R]) {
    return of_row_quads<R>(
        [&](auto row) KVSPLIT_LAMBDA_INLINE { return max_of_4(x[row(0)], x[row(1)], x[row(2)], x[row(3)]); });
}
template <int R>
KVSPLIT_INLINE f32x16 row_maxima(const f32x16 (&x)[R][kVectors]) {
    f32x16 top[R];
    for (int r = 0; r < R; ++r) top[r] = max_of_tokens(x[r]);
    return maxima_of_rows<R>(top);
}

// Sets the logits of tokens outside [low, high) to -infinity.
KVSPLIT_INLINE void mask_tokens(f32x16 (&s)[kVectors], int low, int high) {
    for (int v = 0; v < kVectors; ++v) {
        const int lo = low - v * 16 < 0 ? 0 : low - v * 16 > 16 ? 16 : low - v * 16;
        const int hi = high - v * 16 < 0 ? 0 : high - v * 16 > 16 ? 16 : high - v * 16;
        s[v] = select(mask_first(hi), s[v], set1(kMinusInfinity));
        s[v] = select(mask_first(lo), set1(kMinusInfinity), s[v]);
    }
}

// Turns scores into weights 2^(logit - max) and updates the state's maxima and sums, for R <= 4 rows from
// `first` on. Tokens outside [low[r], high[r]) get 0. max (R), sum (R, 16 partial sums).
template <int R>
KVSPLIT_INLINE void soften(RowBlock& block, int first, bool whole, const int* low, const int* high,
                           float* max_state, float* sum_state) {
    f32x16 s[R][kVectors];
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < kVectors; ++v) s[r][v] = load(block.scores[first + r] + v * 16);
        if (!whole) mask_tokens(s[r], low[r], high[r]);
    }
    const f32x16 factor = load(block.factor + first), offset = load(block.offset + first);
    const f32x16 old = load_first(max_state, R);
    const f32x16 top = max(old, fmadd(row_maxima<R>(s), factor, offset));
    store_first(max_state, top, R);
    block.rescaled |= (mask_bits(lt(old, top)) & ((1u << R) - 1)) != 0;
    // A row without any token yet takes 0, so that weights are 0 and not NaN.
    const f32x16 reference = select(eq(top, set1(kMinusInfinity)), zero_f32(), top);
    store(block.rescale + first, exp2_below(old - reference));
    // Per row: the offset that turns scores into exponents.
    alignas(64) float offsets[16];
    store(offsets, offset - reference);
    broadcast_from_memory(offsets);
    broadcast_from_memory(block.factor);
    broadcast_from_memory(block.rescale);
    for (int r = 0; r < R; ++r) {
        f32x16 total;
        for (int v = 0; v < kVectors; ++v) {
            const f32x16 weight = exp2_below(fmadd(s[r][v], set1(block.factor[first + r]), set1(offsets[r])));
            store(block.scores[first + r] + v * 16, weight);
            total = v == 0 ? weight : total + weight;
        }
        float* sum = sum_state + r * 16;
        store(sum, fmadd(load(sum), set1(block.rescale[first + r]), total));
    }
}

// Softmax weights times value scales as integers, in the order of pack_bytes: one plane of 8 bits, or two of
// 7 bits, the higher ones first.
struct IntegerWeights {
    alignas(64) std::uint8_t plane[2][kRowBlock][kTokens];
    alignas(64) float unit[32];        // per row: weight * factor of the values' grid = unit * integer
    alignas(64) std::int32_t sum[32];  // per row: sum of the integers, if the grid has an offset

    // The weights of tokens 16 unit + 4 i .. + 3.
    KVSPLIT_INLINE const std::uint8_t* quad(int p, int r, int unit_of_tokens, int i) const {
        return plane[p][r] + 16 * i + 4 * unit_of_tokens;
    }
};

// Rounds the weights of R <= 4 rows from `row` on to two planes.
template <int R, typename Grid>
KVSPLIT_INLINE void round_weights(const RowBlock& block, int row, const std::uint16_t* scales,
                                  IntegerWeights& out) {
    constexpr float kTop = 16383.0f;
    f32x16 w[R][kVectors];
    for (int v = 0; v < kVectors; ++v) {
        const f32x16 scale = load_f16(scales + v * 16);
        for (int r = 0; r < R; ++r) w[r][v] = load(block.scores[row + r] + v * 16) * scale;
    }
    const f32x16 top = row_maxima<R>(w);
    store(out.unit + row, top * set1(Grid::kFactor / kTop));
    alignas(64) float inverses[16];
    // If the inverse of the top would overflow, its weights count as 0.
    store(inverses, select(lt(set1(1e-30f), top), set1(kTop) / top, zero_f32()));
    broadcast_from_memory(inverses);
    i32x16 sum[kRowQuad] = {zero_i32(), zero_i32(), zero_i32(), zero_i32()};
    for (int r = 0; r < R; ++r) {
        i32x16 n[kVectors];
        for (int v = 0; v < kVectors; ++v) n[v] = to_i32(w[r][v] * set1(inverses[r]));
        if constexpr (Grid::kOffset != 0) sum[r] = (n[0] + n[1]) + (n[2] + n[3]);
        bytes64 low, high;
        pack_sevens(n, low, high);
        store_bytes(out.plane[0][row + r], high);
        store_bytes(out.plane[1][row + r], low);
    }
    if constexpr (Grid::kOffset != 0) store(out.sum + row, add_of_4(sum[0], sum[1], sum[2], sum[3]));
}

// into = into + from; both over dim channels.
inline void merge_states(SoftmaxState& into, const SoftmaxState& from, int n_rows, int dim) {
    for (int r = 0; r < n_rows; ++r) {
        if (from.max[r] == kMinusInfinity) continue;
        const float top = into.max[r] > from.max[r] ? into.max[r] : from.max[r];
        const f32x16 a = exp2_below(set1(into.max[r] - top)), b = exp2_below(set1(from.max[r] - top));
        into.max[r] = top;
        float *sum = into.sum + r * 16, *acc = into.acc + r * dim;
        store(sum, fmadd(load(from.sum + r * 16), b, load(sum) * a));
        const float* add = from.acc + r * dim;
        for (int c = 0; c < dim; c += 16) store(acc + c, fmadd(load(add + c), b, load(acc + c) * a));
    }
}

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
