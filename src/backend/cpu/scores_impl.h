// Attention's logits from a page's keys, exact or as codes. Part of a kernel translation unit (simd.h).
#pragma once

#include "backend/cpu/attention_kernels.h"
#include "backend/cpu/code_loader.h"
#include "backend/cpu/logits_impl.h"
#include "backend/cpu/read_ahead_impl.h"
#include "backend/cpu/simd/simd.h"
#include "backend/cpu/softmax_impl.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

// Vectors of tokens or channels that are accumulated at once per row, for this number of rows.
constexpr int accumulated_vectors([[maybe_unused]] int rows) {
#if defined(KVSPLIT_ISA_AVX512)
    return rows > kRowQuad ? 2 : 4;
#else
    return 1;
#endif
}

// The number of steps on a page for a block of rows: one per 16 channels of a block of tokens, one per 16
// tokens of a block of channels, and two in between.
KVSPLIT_INLINE int steps_of_block(const AttentionShape& shape, int rows) {
    const int values = shape.head.value.padded_dim / 16;
    const int keys = shape.head.key.padded_dim / 16 + (shape.head.latent ? values : 0);
    return (keys + values) * kVectors / accumulated_vectors(rows) + 2;
}
KVSPLIT_INLINE int steps_of_page(const AttentionShape& shape, int n_rows) {
    int steps = n_rows / kRowBlock * steps_of_block(shape, kRowBlock);
    for (int left = n_rows % kRowBlock; left > 0; left -= rows_of_block(left))
        steps += steps_of_block(shape, rows_of_block(left));
    return steps;
}

// ---- scores of R rows against a page's 64 keys, see RowBlock

KVSPLIT_INLINE f32x16 load_number(const std::uint16_t* p) { return load_f16(p); }
KVSPLIT_INLINE f32x16 load_number(const float* p) { return load(p); }

// s[r][t] = log2(e) * sum over channels of q[r][c] k[c][t], for the first n_vectors * 16 tokens
template <int R, int V, typename Number>
KVSPLIT_INLINE void score_exact_block(const QueryRows& q, int dim, const Number* keys, float* scores,
                                      ReadAhead& ahead) {
    f32x16 acc[R][V];
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < V; ++v) acc[r][v] = zero_f32();
    }
    for (int c = 0; c < dim; ++c) {
        if (c % 16 == 0) ahead.step();
        f32x16 k[V];
        for (int v = 0; v < V; ++v) k[v] = load_number(keys + c * kTokens + v * 16);
        for (int r = 0; r < R; ++r) {
            const f32x16 x = set1(q.row(r)[c]);
            for (int v = 0; v < V; ++v) acc[r][v] = fmadd(x, k[v], acc[r][v]);
        }
    }
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < V; ++v) store(scores + r * kTokens + v * 16, acc[r][v] * set1(kLog2E));
    }
}

template <int R, typename Number>
void score_exact(const QueryRows& q, int dim, const Number* keys, int n_vectors, RowBlock& block,
                 ReadAhead& ahead) {
    set_terms(block);
    constexpr int kBlock = accumulated_vectors(R);
    int v = 0;
    for (; v + kBlock <= n_vectors; v += kBlock) {
        score_exact_block<R, kBlock>(q, dim, keys + v * 16, block.scores[0] + v * 16, ahead);
    }
    for (; v < n_vectors; ++v) {
        score_exact_block<R, 1>(q, dim, keys + v * 16, block.scores[0] + v * 16, ahead);
    }
}

// acc[r][v] += query codes . key codes over half a unit: 8 channels. q: the rows' codes at the unit's first
// channel.
template <int half, int bits, int R, int V>
KVSPLIT_INLINE void score_half(const CodeLoader<bits, kKey>& loader, const std::uint8_t* low,
                               const std::uint8_t* high, const std::int8_t* const (&q)[R],
                               std::ptrdiff_t unit, i32x16 (&acc)[R][V]) {
    bytes64 k[V][2];
    for (int v = 0; v < V; ++v) {
        loader.template load<half>(low + v * 64, high + v * 64, unit, kTokens * 4, k[v]);
    }
    for (int o = 0; o < 2; ++o) {
        for (int r = 0; r < R; ++r) {
            const bytes64 x = set1_4bytes(q[r] + half * 8 + o * 4);
            for (int v = 0; v < V; ++v) acc[r][v] = dot_keys<bits>(acc[r][v], k[v][o], x);
        }
    }
}

// The codes of R rows, and for each scale group the start value or the correction of the products.
template <int R>
struct RowTerms {
    const std::int8_t* codes[R];
    std::int32_t start[codec::kMaxHeadDim / 16][R];
    float shift[codec::kMaxHeadDim / 16][R];

    template <typename Grid>
    KVSPLIT_INLINE void find(const QueryCodes& queries, int row, const codec::HeadShape& shape) {
        const std::int8_t* from = queries.codes + static_cast<std::ptrdiff_t>(row) * shape.padded_dim;
        for (int r = 0; r < R; ++r) codes[r] = from + r * shape.padded_dim;
        const std::int32_t* sums = queries.sums + static_cast<std::ptrdiff_t>(row) * shape.n_groups;
        for (int g = 0; g < shape.n_groups; ++g) {
            for (int r = 0; r < R; ++r) {
                const std::int32_t sum = sums[r * shape.n_groups + g];
                if constexpr (Grid::kWhole) {
                    start[g][r] = -static_cast<std::int32_t>(Grid::kZero) * sum;
                } else {
                    shift[g][r] = -Grid::kZero * static_cast<float>(sum);
                }
            }
        }
    }
};

// scores[r][v] = or += scale[v] * (products + shift)
template <typename Grid, bool add, int R, int V>
KVSPLIT_INLINE void scale_products(const i32x16 (&products)[R][V], const std::uint16_t* scales,
                                   const float* shift, float* scores) {
    f32x16 scale[V];
    for (int v = 0; v < V; ++v) scale[v] = load_f16(scales + v * 16);
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < V; ++v) {
            f32x16 dot = to_f32(products[r][v]);
            if constexpr (!Grid::kWhole) dot = dot + set1(shift[r]);
            float* at = scores + r * kTokens + v * 16;
            store(at, add ? fmadd(dot, scale[v], load(at)) : dot * scale[v]);
        }
    }
}

// Scores of 16 V tokens from `token` on. Not inlined: the compiler would keep row data in registers that the
// products need.
template <int bits, typename Grid, int R, int V>
KVSPLIT_NOINLINE void score_codes_block(const CodedKeys& keys, const RowTerms<R>& terms,
                                        const codec::HeadShape& shape, int token, float* scores,
                                        ReadAhead& ahead) {
    const CodeLoader<bits, kKey> loader;
    const std::uint8_t *low = keys.low + token * 4, *high = keys.high + token * 4;
    const std::uint16_t* scales = keys.scales + token;
    const int n_units = shape.group / 16, n_groups = shape.n_groups;
    const std::int8_t* q[R];
    for (int r = 0; r < R; ++r) q[r] = terms.codes[r];
    std::ptrdiff_t unit = 0;
    for (int g = 0; g < n_groups; ++g, scales += kTokens) {
        i32x16 acc[R][V];
        for (int r = 0; r < R; ++r) {
            for (int v = 0; v < V; ++v) acc[r][v] = Grid::kWhole ? set1(terms.start[g][r]) : zero_i32();
        }
        for (int i = 0; i < n_units; ++i, ++unit) {
            ahead.step();
            score_half<0, bits>(loader, low, high, q, unit, acc);
            score_half<1, bits>(loader, low, high, q, unit, acc);
            for (int r = 0; r < R; ++r) q[r] += 16;
        }
        if (g == 0) {
            scale_products<Grid, false>(acc, scales, terms.shift[g], scores);
        } else {
            scale_products<Grid, true>(acc, scales, terms.shift[g], scores);
        }
    }
}

// Scores of R rows from codes, scales * (query codes . key codes), and the terms that make logits of them. q:
// the first row. Codes have `bits` bits and the values of Grid.
template <int bits, typename Grid, int R>
void score_codes(const CodedKeys& keys, const QueryRows& q, const QueryCodes& queries, int row,
                 const codec::HeadShape& shape, RowBlock& block, ReadAhead& ahead) {
    find_terms<R>(keys, q, shape.head_dim, queries.scale + row, Grid::kFactor, block);
    RowTerms<R> terms;
    terms.template find<Grid>(queries, row, shape);
    constexpr int kBlock = accumulated_vectors(R);
    for (int v = 0; v < kVectors; v += kBlock) {
        score_codes_block<bits, Grid, R, kBlock>(keys, terms, shape, v * 16, block.scores[0] + v * 16, ahead);
    }
}

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
