// Attention on page codes. Part of a kernel translation unit (simd.h).
//
// Rows are taken in blocks of up to kRowBlock, so that a loaded code serves all of them. Every row's result
// is the same sequence of operations whatever tile it is in: pages in order, all 64 tokens of a page at once,
// masked tokens with weight 0.
#pragma once

#include "backend/cpu/attention_kernels.h"
#include "backend/cpu/code_loader.h"
#include "backend/cpu/simd/simd.h"
#include "backend/cpu/width_dispatch.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

inline constexpr int kTokens = codec::kPageTokens;
inline constexpr int kVectors = kTokens / 16;  // token vectors of a page
inline constexpr int kRowBlock = 4;
#if defined(KVSPLIT_ISA_AVX512)
inline constexpr int kTokenBlock = 4;    // token vectors held in accumulators at once
inline constexpr int kChannelBlock = 4;  // channel vectors likewise
#else
inline constexpr int kTokenBlock = 1;
inline constexpr int kChannelBlock = 1;
#endif
inline constexpr float kMinusInfinity = -__builtin_inff();

struct RowBlock {
    alignas(64) float scores[kRowBlock][kTokens];  // logits, then weights
    float rescale[kRowBlock];                      // what the accumulators so far are multiplied with
};

// ---- scores: logits of R rows against a page's 64 keys

KVSPLIT_INLINE f32x16 load_number(const std::uint16_t* p) { return load_f16(p); }
KVSPLIT_INLINE f32x16 load_number(const float* p) { return load(p); }

// s[r][t] = sum over channels of q[r][c] k[c][t], for the first n_vectors * 16 tokens
template <int R, int V, typename Number>
KVSPLIT_INLINE void score_exact_block(const float* q, int dim, const Number* keys, float* scores) {
    f32x16 acc[R][V];
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < V; ++v) acc[r][v] = zero_f32();
    }
    for (int c = 0; c < dim; ++c) {
        f32x16 k[V];
        for (int v = 0; v < V; ++v) k[v] = load_number(keys + c * kTokens + v * 16);
        for (int r = 0; r < R; ++r) {
            const f32x16 x = set1(q[r * dim + c]);
            for (int v = 0; v < V; ++v) acc[r][v] = fmadd(x, k[v], acc[r][v]);
        }
    }
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < V; ++v) store(scores + r * kTokens + v * 16, acc[r][v]);
    }
}

template <int R, typename Number>
void score_exact(const float* q, int dim, const Number* keys, int n_vectors, RowBlock& block) {
    int v = 0;
    for (; v + kTokenBlock <= n_vectors; v += kTokenBlock) {
        score_exact_block<R, kTokenBlock>(q, dim, keys + v * 16, block.scores[0] + v * 16);
    }
    for (; v < n_vectors; ++v) {
        score_exact_block<R, 1>(q, dim, keys + v * 16, block.scores[0] + v * 16);
    }
}

// acc[r][v] += query codes . key codes over half a unit: 8 channels. q: the rows' codes at the unit's first
// channel.
template <int half, int bits, int R, int V>
KVSPLIT_INLINE void score_half(const CodeLoader<bits>& loader, const std::uint8_t* low,
                               const std::uint8_t* high, const std::int8_t* q, int dim, int unit,
                               i32x16 (&acc)[R][V]) {
    bytes64 k[V][2];
    for (int v = 0; v < V; ++v) {
        loader.template load<half>(low + v * 64, high + v * 64, unit, kTokens * 4, k[v]);
    }
    for (int o = 0; o < 2; ++o) {
        for (int r = 0; r < R; ++r) {
            const bytes64 x = set1_4bytes(q + r * dim + half * 8 + o * 4);
            for (int v = 0; v < V; ++v) acc[r][v] = dot_codes<bits>(acc[r][v], k[v][o], x);
        }
    }
}

template <int bits, int R, int V>
KVSPLIT_INLINE void score_codes_block(const CodeLoader<bits>& loader, const std::uint8_t* low,
                                      const std::uint8_t* high, const std::uint16_t* scales,
                                      const QueryTile& tile, int row, const codec::HeadShape& head, int token,
                                      f32x16 (*out)[V]) {
    const std::int8_t* q = tile.codes + static_cast<std::ptrdiff_t>(row) * head.head_dim;
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < V; ++v) out[r][v] = zero_f32();
    }
    for (int g = 0; g < head.n_groups; ++g) {
        i32x16 acc[R][V];
        for (int r = 0; r < R; ++r) {
            for (int v = 0; v < V; ++v) acc[r][v] = zero_i32();
        }
        for (int c = g * head.group; c < (g + 1) * head.group; c += 16) {
            const int at = token * 4;
            score_half<0, bits>(loader, low + at, high + at, q + c, head.head_dim, c / 16, acc);
            score_half<1, bits>(loader, low + at, high + at, q + c, head.head_dim, c / 16, acc);
        }
        for (int v = 0; v < V; ++v) {
            const f32x16 scale = load_f16(scales + g * kTokens + token + v * 16);
            for (int r = 0; r < R; ++r) {
                const std::int32_t zero =
                    KeyGrid<bits>::kZero2 * tile.code_sums[(row + r) * head.n_groups + g];
                const f32x16 dot = to_f32(acc[r][v] + acc[r][v] - set1(zero));
                out[r][v] = fmadd(dot, scale, out[r][v]);
            }
        }
    }
}

KVSPLIT_INLINE float scalar_f16(std::uint16_t half) {
    alignas(64) std::uint16_t in[16] = {half};
    alignas(64) float out[16];
    store(out, load_f16(in));
    return out[0];
}

// Logits from codes: query . mean + scales * (query codes . key codes)
template <int bits, int R>
void score_codes(const PageRun& run, const std::byte* page, int kv_head, const QueryTile& tile, int row,
                 const codec::HeadShape& head, RowBlock& block) {
    const codec::PageLayout& l = *run.layout;
    const auto* codes = reinterpret_cast<const std::uint8_t*>(page + l.key_codes.at(kv_head));
    const auto* scales = reinterpret_cast<const std::uint16_t*>(page + l.key_scales.at(kv_head));
    const auto* means = reinterpret_cast<const std::int8_t*>(page + l.key_means.at(kv_head));
    const auto* mean_scale = reinterpret_cast<const std::uint16_t*>(page + l.key_mean_scales.at(kv_head));
    const float* q = tile.q + static_cast<std::ptrdiff_t>(row) * head.head_dim;

    f32x16 dot[R];
    for (int r = 0; r < R; ++r) dot[r] = zero_f32();
    for (int c = 0; c < head.head_dim; c += 16) {
        const f32x16 mean = load_i8_f32(means + c);
        for (int r = 0; r < R; ++r) dot[r] = fmadd(load(q + r * head.head_dim + c), mean, dot[r]);
    }
    const float unit = scalar_f16(*mean_scale);
    f32x16 offset[R], factor[R];
    for (int r = 0; r < R; ++r) {
        offset[r] = set1(reduce_add(dot[r]) * unit);
        factor[r] = set1(tile.code_scale[row + r] * KeyGrid<bits>::kHalfFactor);
    }
    const CodeLoader<bits> loader(0x80);
    for (int v = 0; v < kVectors; v += kTokenBlock) {
        f32x16 s[R][kTokenBlock];
        score_codes_block<bits, R, kTokenBlock>(loader, codes, codes + l.key_high_plane, scales, tile, row,
                                                head, v * 16, s);
        for (int r = 0; r < R; ++r) {
            for (int i = 0; i < kTokenBlock; ++i) {
                store(block.scores[r] + (v + i) * 16, fmadd(s[r][i], factor[r], offset[r]));
            }
        }
    }
}

// ---- softmax

// Logits to weights e^(logit - max), with the state's max and sum brought up to date. Tokens outside [low,
// high) get 0.
KVSPLIT_INLINE void soften(float* scores, int low, int high, float& max_state, float& sum_state,
                           float& rescale) {
    f32x16 s[kVectors];
    for (int v = 0; v < kVectors; ++v) s[v] = load(scores + v * 16);
    if (low > 0 || high < kTokens) {
        for (int v = 0; v < kVectors; ++v) {
            const int lo = low - v * 16 < 0 ? 0 : low - v * 16 > 16 ? 16 : low - v * 16;
            const int hi = high - v * 16 < 0 ? 0 : high - v * 16 > 16 ? 16 : high - v * 16;
            s[v] = select(mask_first(hi), s[v], set1(kMinusInfinity));
            s[v] = select(mask_first(lo), set1(kMinusInfinity), s[v]);
        }
    }
    const float page_max = reduce_max(max(max(s[0], s[1]), max(s[2], s[3])));
    const float new_max = page_max > max_state ? page_max : max_state;
    if (new_max == kMinusInfinity) {  // nothing visible here nor before
        for (int v = 0; v < kVectors; ++v) store(scores + v * 16, zero_f32());
        rescale = 1.0f;
        return;
    }
    alignas(64) float factor[16];
    store(factor, exp(set1(max_state - new_max)));
    rescale = factor[0];
    f32x16 total = zero_f32();
    for (int v = 0; v < kVectors; ++v) {
        s[v] = exp(s[v] - set1(new_max));
        store(scores + v * 16, s[v]);
        total = total + s[v];
    }
    max_state = new_max;
    sum_state = sum_state * rescale + reduce_add(total);
}

// ---- values: acc[r] = acc[r] * rescale[r] + sum over tokens of weight[r][t] * value[t]

template <int R, int C, typename Number>
KVSPLIT_INLINE void accumulate_exact_block(const RowBlock& block, const Number* values, int dim, int low,
                                           int high, float* acc) {
    f32x16 a[R][C];
    for (int r = 0; r < R; ++r) {
        for (int c = 0; c < C; ++c) a[r][c] = load(acc + r * dim + c * 16) * set1(block.rescale[r]);
    }
    for (int t = low; t < high; ++t) {
        f32x16 v[C];
        for (int c = 0; c < C; ++c) v[c] = load_number(values + t * dim + c * 16);
        for (int r = 0; r < R; ++r) {
            const f32x16 w = set1(block.scores[r][t]);
            for (int c = 0; c < C; ++c) a[r][c] = fmadd(w, v[c], a[r][c]);
        }
    }
    for (int r = 0; r < R; ++r) {
        for (int c = 0; c < C; ++c) store(acc + r * dim + c * 16, a[r][c]);
    }
}

template <int R, typename Number>
void accumulate_exact(const RowBlock& block, const Number* values, int dim, int low, int high, float* acc) {
    int c = 0;
    for (; c + kChannelBlock * 16 <= dim; c += kChannelBlock * 16) {
        accumulate_exact_block<R, kChannelBlock>(block, values + c, dim, low, high, acc + c);
    }
    for (; c < dim; c += 16) accumulate_exact_block<R, 1>(block, values + c, dim, low, high, acc + c);
}

// Softmax weights times value scales as integers: `planes` bytes each, most significant plane first.
template <int R>
struct IntegerWeights {
    alignas(64) std::uint8_t plane[2][R][kTokens];
    float unit[R];  // weight = unit * integer
    float sum[R];   // of the integers
};

template <int R, bool wide>
KVSPLIT_INLINE void round_weights(const RowBlock& block, const std::uint16_t* scales,
                                  IntegerWeights<R>& out) {
    constexpr float kTop = wide ? 65535.0f : 255.0f;
    f32x16 scale[kVectors];
    for (int v = 0; v < kVectors; ++v) scale[v] = load_f16(scales + v * 16);
    for (int r = 0; r < R; ++r) {
        f32x16 w[kVectors];
        for (int v = 0; v < kVectors; ++v) w[v] = load(block.scores[r] + v * 16) * scale[v];
        const float top = reduce_max(max(max(w[0], w[1]), max(w[2], w[3])));
        // A top so small that its inverse overflows carries nothing.
        const float inverse = top > 1e-30f ? kTop / top : 0.0f;
        i32x16 sum = zero_i32();
        for (int v = 0; v < kVectors; ++v) {
            const i32x16 n = to_i32(w[v] * set1(inverse));
            sum = sum + n;
            if constexpr (wide) {
                store_low_bytes(out.plane[0][r] + v * 16, shift_right_logical<8>(n));
                store_low_bytes(out.plane[1][r] + v * 16, n);
            } else {
                store_low_bytes(out.plane[0][r] + v * 16, n);
            }
        }
        out.unit[r] = top / kTop;
        out.sum[r] = static_cast<float>(reduce_add(sum));
    }
}

// sum[p][r][c] += weights . value codes over half a unit: 8 tokens.
template <int half, int bits, int P, int R, int C>
KVSPLIT_INLINE void accumulate_half(const CodeLoader<bits>& loader, const IntegerWeights<R>& weights,
                                    const std::uint8_t* low, const std::uint8_t* high, int dim, int unit,
                                    i32x16 (&sum)[P][R][C]) {
    bytes64 v[C][2];
    for (int c = 0; c < C; ++c) {
        loader.template load<half>(low + c * 64, high + c * 64, unit, std::ptrdiff_t{dim} * 4, v[c]);
    }
    for (int o = 0; o < 2; ++o) {
        for (int p = 0; p < P; ++p) {
            for (int r = 0; r < R; ++r) {
                const bytes64 w = set1_4bytes(weights.plane[p][r] + unit * 16 + half * 8 + o * 4);
                for (int c = 0; c < C; ++c) sum[p][r][c] = dot_codes<bits>(sum[p][r][c], w, v[c][o]);
            }
        }
    }
}

template <int bits, int R, bool wide, int C>
KVSPLIT_INLINE void accumulate_codes_block(const CodeLoader<bits>& loader, const IntegerWeights<R>& weights,
                                           const RowBlock& block, const std::uint8_t* low,
                                           const std::uint8_t* high, int dim, float* acc) {
    constexpr int kPlanes = wide ? 2 : 1;
    i32x16 sum[kPlanes][R][C];
    for (int p = 0; p < kPlanes; ++p) {
        for (int r = 0; r < R; ++r) {
            for (int c = 0; c < C; ++c) sum[p][r][c] = zero_i32();
        }
    }
    for (int unit = 0; unit < kTokens / 16; ++unit) {
        accumulate_half<0, bits>(loader, weights, low, high, dim, unit, sum);
        accumulate_half<1, bits>(loader, weights, low, high, dim, unit, sum);
    }
    constexpr float kOffset = ValueGrid<bits>::kOffset;
    for (int r = 0; r < R; ++r) {
        const f32x16 unit = set1(weights.unit[r] * ValueGrid<bits>::kFactor);
        for (int c = 0; c < C; ++c) {
            f32x16 s = to_f32(sum[0][r][c]);
            if constexpr (wide) s = fmadd(s, set1(256.0f), to_f32(sum[1][r][c]));
            if constexpr (kOffset != 0.0f) s = s + set1(weights.sum[r] * kOffset);
            float* a = acc + r * dim + c * 16;
            store(a, fmadd(s, unit, load(a) * set1(block.rescale[r])));
        }
    }
}

template <int bits, int R, bool wide>
void accumulate_codes(const PageRun& run, const std::byte* page, int kv_head, const codec::HeadShape& head,
                      const RowBlock& block, float* acc) {
    constexpr int kBlock = wide && kChannelBlock > 1 ? kChannelBlock / 2 : kChannelBlock;
    const codec::PageLayout& l = *run.layout;
    const auto* low = reinterpret_cast<const std::uint8_t*>(page + l.value_codes.at(kv_head));
    const std::uint8_t* high = low + l.value_high_plane;
    const auto* scales = reinterpret_cast<const std::uint16_t*>(page + l.value_scales.at(kv_head));
    const CodeLoader<bits> loader(0);
    const int dim = head.padded_dim;
    IntegerWeights<R> weights;
    for (int g = 0; g < head.n_groups; ++g) {
        round_weights<R, wide>(block, scales + g * kTokens, weights);
        int c = g * head.group;
        const int end = c + head.group;
        for (; c + kBlock * 16 <= end; c += kBlock * 16) {
            accumulate_codes_block<bits, R, wide, kBlock>(loader, weights, block, low + c * 4, high + c * 4,
                                                          dim, acc + c);
        }
        for (; c < end; c += 16) {
            accumulate_codes_block<bits, R, wide, 1>(loader, weights, block, low + c * 4, high + c * 4, dim,
                                                     acc + c);
        }
    }
}

// ---- one page, R rows

template <int R>
void score_page(const PageRun& run, const std::byte* page, int kv_head, const QueryTile& tile, int row,
                const codec::HeadShape& head, int n_vectors, RowBlock& block) {
    if (run.key_bits < 16) {
        return with_width(run.key_bits, [&](auto width) KVSPLIT_LAMBDA_INLINE {
            score_codes<width.bits, R>(run, page, kv_head, tile, row, head, block);
        });
    }
    const codec::PageLayout& l = *run.layout;
    const std::byte* keys = page + l.key_codes.at(kv_head);
    const float* q = tile.q + static_cast<std::ptrdiff_t>(row) * head.head_dim;
    if (run.key_bits == 32) {
        return score_exact<R>(q, head.head_dim, reinterpret_cast<const float*>(keys), n_vectors, block);
    }
    score_exact<R>(q, head.head_dim, reinterpret_cast<const std::uint16_t*>(keys), n_vectors, block);
}

template <int R>
void accumulate_page(const PageRun& run, const std::byte* page, int kv_head, const AttentionShape& shape,
                     const RowBlock& block, int low, int high, float* acc) {
    const codec::HeadShape& head = shape.head;
    if (run.value_bits < 16) {
        return with_width(run.value_bits, [&](auto width) KVSPLIT_LAMBDA_INLINE {
            if (shape.wide_weights())
                return accumulate_codes<width.bits, R, true>(run, page, kv_head, head, block, acc);
            accumulate_codes<width.bits, R, false>(run, page, kv_head, head, block, acc);
        });
    }
    const codec::PageLayout& l = *run.layout;
    const std::byte* values = page + l.value_codes.at(kv_head);
    const int dim = head.padded_dim;
    if (run.value_bits == 32) {
        return accumulate_exact<R>(block, reinterpret_cast<const float*>(values), dim, low, high, acc);
    }
    accumulate_exact<R>(block, reinterpret_cast<const std::uint16_t*>(values), dim, low, high, acc);
}

template <int R>
void attend_page(const PageRun& run, int index, int kv_head, const QueryTile& tile, int row,
                 const AttentionShape& shape, SoftmaxState& state) {
    const int first = (run.first_page + index) * kTokens;
    int low[R], high[R], min_low = kTokens, max_high = 0;
    for (int r = 0; r < R; ++r) {
        const int position = tile.position[row + r];
        low[r] = first == 0 ? run.first_token : 0;
        if (tile.window > 0 && position - tile.window + 1 - first > low[r])
            low[r] = position - tile.window + 1 - first;
        high[r] = position + 1 - first < run.n_tokens ? position + 1 - first : run.n_tokens;
        min_low = low[r] < min_low ? low[r] : min_low;
        max_high = high[r] > max_high ? high[r] : max_high;
    }
    if (min_low >= max_high) return;  // no row sees this page: the state would not change
    const int n_vectors = (max_high + 15) / 16;
    RowBlock block;
    score_page<R>(run, run.pages[index], kv_head, tile, row, shape.head, n_vectors, block);
    for (int r = 0; r < R; ++r) {
        soften(block.scores[r], low[r], high[r], state.max[row + r], state.sum[row + r], block.rescale[r]);
    }
    accumulate_page<R>(run, run.pages[index], kv_head, shape, block, min_low, max_high,
                       state.acc + static_cast<std::ptrdiff_t>(row) * shape.head.padded_dim);
}

// All that a head reads of a page; with the run's first head also the page's header. Left to the hardware's
// own prefetching, which starts anew on every page, decoding waits for memory most of the time.
KVSPLIT_INLINE void prefetch_block(const PageRun& run, int page, int head) {
    const codec::PageArray& blocks = run.layout->blocks;
    const std::size_t first = head == run.head ? blocks.offset : 0;
    const std::byte* end = run.pages[page] + blocks.at(head) + blocks.bytes;
    for (const std::byte* p = end - blocks.bytes - first; p < end; p += 64) prefetch(p);
}

// One head's part of a page.
KVSPLIT_INLINE void attend_head(const AttentionShape& shape, const PageRun& run, int page, int head,
                                const QueryTile& tile, SoftmaxState& state) {
    int row = 0;
    for (; row + kRowBlock <= tile.n_rows; row += kRowBlock)
        attend_page<kRowBlock>(run, page, head, tile, row, shape, state);
    switch (tile.n_rows - row) {
        case 3:
            return attend_page<3>(run, page, head, tile, row, shape, state);
        case 2:
            return attend_page<2>(run, page, head, tile, row, shape, state);
        case 1:
            return attend_page<1>(run, page, head, tile, row, shape, state);
        default:
            return;
    }
}

// Adds the keys and values of a run of pages to the states of its heads: tiles and states of run.n_heads.
// Page by page, so that the pages are read front to back.
void attend(const AttentionShape& shape, const PageRun& run, const QueryTile* tiles, SoftmaxState* states) {
    const int end_head = run.head + run.n_heads;
    for (int page = 0; page < run.n_pages; ++page) {
        for (int head = run.head; head < end_head; ++head) {
            if (head + 1 < end_head) {
                prefetch_block(run, page, head + 1);
            } else if (page + 1 < run.n_pages) {
                prefetch_block(run, page + 1, run.head);
            }
            attend_head(shape, run, page, head, tiles[head - run.head], states[head - run.head]);
        }
    }
}

KVSPLIT_INLINE float exp_scalar(float x) {
    alignas(64) float y[16];
    store(y, exp(set1(x)));
    return y[0];
}

// into = into + from; both over dim channels.
void merge_states(SoftmaxState& into, const SoftmaxState& from, int n_rows, int dim) {
    for (int r = 0; r < n_rows; ++r) {
        if (from.max[r] == kMinusInfinity) continue;
        const float top = into.max[r] > from.max[r] ? into.max[r] : from.max[r];
        const float a = exp_scalar(into.max[r] - top), b = exp_scalar(from.max[r] - top);
        into.max[r] = top;
        into.sum[r] = into.sum[r] * a + from.sum[r] * b;
        float* x = into.acc + r * dim;
        const float* y = from.acc + r * dim;
        for (int c = 0; c < dim; c += 16) store(x + c, fmadd(load(y + c), set1(b), load(x + c) * set1(a)));
    }
}

// x[n] in blocks of `size`, orthonormal; n is a multiple of 16 or smaller than 16.
void hadamard(float* x, int n, int size) {
    for (int base = 0; base < n; base += size) {
        float* b = x + base;
        for (int h = 1; h < size && h < 16; h *= 2) {
            for (int i = 0; i < size; i += 2 * h) {
                for (int j = i; j < i + h; ++j) {
                    const float u = b[j], v = b[j + h];
                    b[j] = u + v;
                    b[j + h] = u - v;
                }
            }
        }
        for (int h = 16; h < size; h *= 2) {
            for (int i = 0; i < size; i += 2 * h) {
                for (int j = i; j < i + h; j += 16) {
                    const f32x16 u = load(b + j), v = load(b + j + h);
                    store(b + j, u + v);
                    store(b + j + h, u - v);
                }
            }
        }
    }
    const float norm = 1.0f / __builtin_sqrtf(static_cast<float>(size));
    for (int i = 0; i < n; ++i) x[i] *= norm;
}

// One query row: q (dim) already scaled; smoothing (dim). Writes codes (dim) and the group sums (n_groups);
// returns the scale. `rotated` is scratch of dim floats.
float prepare_query(const codec::HeadShape& head, const float* q, const float* smoothing, float* rotated,
                    std::int8_t* codes, std::int32_t* sums) {
    const int dim = head.head_dim;
    for (int c = 0; c < dim; c += 16) store(rotated + c, load(q + c) / load(smoothing + c));
    hadamard(rotated, dim, head.hadamard_size);
    f32x16 top = zero_f32();
    for (int c = 0; c < dim; c += 16) top = max(abs(load(rotated + c)), top);
    const float amax = reduce_max(top);
    const f32x16 inverse = set1(amax > 0 ? 127.0f / amax : 0.0f);
    for (int g = 0; g < head.n_groups; ++g) {
        i32x16 sum = zero_i32();
        for (int c = g * head.group; c < (g + 1) * head.group; c += 16) {
            store_i8(codes + c, load(rotated + c) * inverse);
            sum = sum + load_i8_i32(codes + c);
        }
        sums[g] = reduce_add(sum);
    }
    return amax / 127.0f;
}

KVSPLIT_INLINE void store_number(std::uint16_t* p, f32x16 a) { store_f16(p, a); }
KVSPLIT_INLINE void store_number(float* p, f32x16 a) { store(p, a); }

// One token of one head into an open page: keys [dim][64] and values [64][padded_dim], f16 or f32.
template <typename Number>
void append_numbers(const codec::HeadShape& head, const float* key, const float* value, int token,
                    Number* keys, Number* values) {
    const int dim = head.head_dim;
    alignas(64) Number stored[16];
    for (int c = 0; c < dim; c += 16) {
        const int n = dim - c < 16 ? dim - c : 16;
        store_number(stored, n == 16 ? load(key + c) : load_first(key + c, n));
        for (int i = 0; i < n; ++i) keys[(c + i) * kTokens + token] = stored[i];
        store_number(values + token * head.padded_dim + c,
                     n == 16 ? load(value + c) : load_first(value + c, n));
    }
}
void append_token(const codec::HeadShape& head, const float* key, const float* value, int token, int bits,
                  std::byte* keys, std::byte* values) {
    if (bits == 32) {
        return append_numbers(head, key, value, token, reinterpret_cast<float*>(keys),
                              reinterpret_cast<float*>(values));
    }
    append_numbers(head, key, value, token, reinterpret_cast<std::uint16_t*>(keys),
                   reinterpret_cast<std::uint16_t*>(values));
}

// The attention output of n_rows rows: (rotated part undone + plain part) / sum. Either state may be absent
// (null max). out(r) = out + (r / group) * token_stride + (r % group) * dim
void finish_rows(const codec::HeadShape& head, SoftmaxState& rotated, const SoftmaxState& plain, int n_rows,
                 int group, float* out, std::ptrdiff_t token_stride) {
    const int dim = head.padded_dim;
    for (int r = 0; r < n_rows; ++r) {
        const bool has_rotated = rotated.max && rotated.max[r] != kMinusInfinity;
        const bool has_plain = plain.max && plain.max[r] != kMinusInfinity;
        const float mr = has_rotated ? rotated.max[r] : kMinusInfinity,
                    mp = has_plain ? plain.max[r] : kMinusInfinity;
        const float top = mr > mp ? mr : mp;
        const float a = has_rotated ? exp_scalar(mr - top) : 0.0f,
                    b = has_plain ? exp_scalar(mp - top) : 0.0f;
        const float sum = (has_rotated ? rotated.sum[r] * a : 0.0f) + (has_plain ? plain.sum[r] * b : 0.0f);
        const float inverse = sum > 0 ? 1.0f / sum : 0.0f;
        float* x = rotated.max ? rotated.acc + r * dim : nullptr;
        const float* y = plain.max ? plain.acc + r * dim : nullptr;
        if (has_rotated) hadamard(x, head.head_dim, head.hadamard_size);
        float* row = out + (r / group) * token_stride + (r % group) * head.head_dim;
        for (int c = 0; c < head.head_dim; c += 16) {
            const int n = head.head_dim - c < 16 ? head.head_dim - c : 16;
            f32x16 s = zero_f32();
            if (has_rotated) s = load(x + c) * set1(a * inverse);
            if (has_plain) s = fmadd(load(y + c), set1(b * inverse), s);
            store_first(row + c, s, n);
        }
    }
}

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
