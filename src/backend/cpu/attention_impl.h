// Attention on page codes. Part of a kernel translation unit (simd.h).
//
// Rows are taken in blocks of up to kRowBlock, so that a loaded code serves all of them. Every row's result
// is the same sequence of operations whatever tile it is in: pages in order, all 64 tokens of a page at once,
// masked tokens with weight 0.
#pragma once

#include "backend/cpu/attention_kernels.h"
#include "backend/cpu/code_loader.h"
#include "backend/cpu/simd/simd.h"
#include "backend/cpu/softmax_impl.h"
#include "backend/cpu/width_dispatch.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

#if defined(KVSPLIT_ISA_AVX512)
inline constexpr int kTokenBlock = 4;    // token vectors held in accumulators at once
inline constexpr int kChannelBlock = 4;  // channel vectors likewise
#else
inline constexpr int kTokenBlock = 1;
inline constexpr int kChannelBlock = 1;
#endif
// What is read next, asked for a few lines at a time all through the work: a processor has some ten to twenty
// requests open at once, and waits where more are made together. Left to the hardware's own prefetching,
// which starts anew on every page, decoding waits for memory most of the time.
class ReadAhead {
  public:
    // All that `head` reads of a page; with the run's first head also the page's header. Past the last page
    // there is nothing. n_steps: how often step() will be called.
    KVSPLIT_INLINE ReadAhead(const PageRun& run, int page, int head, int n_steps) {
        if (page == run.n_pages) return;
        const codec::PageArray& blocks = run.layout->blocks;
        const std::byte* block = run.pages[page] + blocks.at(head);
        next_ = head == run.head ? block - blocks.offset : block;
        end_ = block + blocks.bytes;
        stride_ = ((end_ - next_) / n_steps + 63) / 64 * 64;
    }
    KVSPLIT_INLINE void step() {
        const std::byte* stop = next_ + stride_ < end_ ? next_ + stride_ : end_;
        for (; next_ < stop; next_ += 64) prefetch(next_);
    }

  private:
    const std::byte *next_ = nullptr, *end_ = nullptr;
    std::ptrdiff_t stride_ = 0;
};

// How many steps the work on a page makes for each block of rows: one for 16 channels of a block of tokens,
// one for 16 tokens of a block of channels, and two between them.
KVSPLIT_INLINE int steps_of_page(const AttentionShape& shape) {
    const int channels = shape.head.padded_dim / 16;
    return channels * (kVectors / kTokenBlock) + channels * kVectors / kChannelBlock + 2;
}

// ---- scores: logits of R rows against a page's 64 keys, times log2(e)

KVSPLIT_INLINE f32x16 load_number(const std::uint16_t* p) { return load_f16(p); }
KVSPLIT_INLINE f32x16 load_number(const float* p) { return load(p); }

// s[r][t] = log2(e) * sum over channels of q[r][c] k[c][t], for the first n_vectors * 16 tokens
template <int R, int V, typename Number>
KVSPLIT_INLINE void score_exact_block(const float* q, int dim, const Number* keys, float* scores,
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
            const f32x16 x = set1(q[r * dim + c]);
            for (int v = 0; v < V; ++v) acc[r][v] = fmadd(x, k[v], acc[r][v]);
        }
    }
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < V; ++v) store(scores + r * kTokens + v * 16, acc[r][v] * set1(kLog2E));
    }
}

template <int R, typename Number>
void score_exact(const float* q, int dim, const Number* keys, int n_vectors, RowBlock& block,
                 ReadAhead& ahead) {
    int v = 0;
    for (; v + kTokenBlock <= n_vectors; v += kTokenBlock) {
        score_exact_block<R, kTokenBlock>(q, dim, keys + v * 16, block.scores[0] + v * 16, ahead);
    }
    for (; v < n_vectors; ++v) {
        score_exact_block<R, 1>(q, dim, keys + v * 16, block.scores[0] + v * 16, ahead);
    }
}

// acc[r][v] += query codes . key codes over half a unit: 8 channels. q: the rows' codes at the unit's first
// channel.
template <int half, int bits, int R, int V>
KVSPLIT_INLINE void score_half(const CodeLoader<bits, kKey>& loader, const std::uint8_t* low,
                               const std::uint8_t* high, const std::int8_t* q, int dim, int unit,
                               i32x16 (&acc)[R][V]) {
    bytes64 k[V][2];
    for (int v = 0; v < V; ++v) {
        loader.template load<half>(low + v * 64, high + v * 64, unit, kTokens * 4, k[v]);
    }
    for (int o = 0; o < 2; ++o) {
        for (int r = 0; r < R; ++r) {
            const bytes64 x = set1_4bytes(q + r * dim + half * 8 + o * 4);
            for (int v = 0; v < V; ++v) acc[r][v] = dot_keys<bits>(acc[r][v], k[v][o], x);
        }
    }
}

template <int bits, int R, int V>
KVSPLIT_INLINE void score_codes_block(const CodeLoader<bits, kKey>& loader, const std::uint8_t* low,
                                      const std::uint8_t* high, const std::uint16_t* scales,
                                      const QueryTile& tile, int row, const codec::HeadShape& head, int token,
                                      f32x16 (*out)[V], ReadAhead& ahead) {
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
            ahead.step();
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
                 const codec::HeadShape& head, RowBlock& block, ReadAhead& ahead) {
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
    const float unit = scalar_f16(*mean_scale) * kLog2E;
    f32x16 offset[R], factor[R];
    for (int r = 0; r < R; ++r) {
        offset[r] = set1(reduce_add(dot[r]) * unit);
        factor[r] = set1(tile.code_scale[row + r] * (KeyGrid<bits>::kHalfFactor * kLog2E));
    }
    const CodeLoader<bits, kKey> loader;
    for (int v = 0; v < kVectors; v += kTokenBlock) {
        f32x16 s[R][kTokenBlock];
        score_codes_block<bits, R, kTokenBlock>(loader, codes, codes + l.key_high_plane, scales, tile, row,
                                                head, v * 16, s, ahead);
        for (int r = 0; r < R; ++r) {
            for (int i = 0; i < kTokenBlock; ++i) {
                store(block.scores[r] + (v + i) * 16, fmadd(s[r][i], factor[r], offset[r]));
            }
        }
    }
}

// What some architectures do to the logits of R rows, of a page whose first token is `first`. Scores are
// logits times log2(e).
template <int R>
void adjust_scores(const QueryTile& tile, int row, int first, int n_vectors, RowBlock& block) {
    alignas(64) float lanes[16];
    for (int i = 0; i < 16; ++i) lanes[i] = static_cast<float>(i);
    const f32x16 lane = load(lanes);
    const float cap = tile.soft_cap * kLog2E;
    for (int r = 0; r < R; ++r) {
        const float slope = tile.slopes ? tile.slopes[(row + r) % tile.group] * kLog2E : 0.0f;
        for (int v = 0; v < n_vectors; ++v) {
            f32x16 s = load(block.scores[r] + v * 16);
            if (cap > 0) s = set1(cap) * tanh(s * set1(1.0f / cap));
            const f32x16 back = set1(static_cast<float>(tile.position[row + r] - first - v * 16)) - lane;
            store(block.scores[r] + v * 16, fnmadd(back, set1(slope), s));
        }
    }
}

// ---- values: acc[r] = acc[r] * rescale[r] + sum over tokens of weight[r][t] * value[t]

template <int R, int C, typename Number>
KVSPLIT_INLINE void accumulate_exact_block(const RowBlock& block, const Number* values, int dim, int low,
                                           int high, float* acc, ReadAhead& ahead) {
    f32x16 a[R][C];
    for (int r = 0; r < R; ++r) {
        for (int c = 0; c < C; ++c) a[r][c] = load(acc + r * dim + c * 16) * set1(block.rescale[r]);
    }
    for (int t = low; t < high; ++t) {
        if (t % 16 == 0) ahead.step();
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
void accumulate_exact(const RowBlock& block, const Number* values, int dim, int low, int high, float* acc,
                      ReadAhead& ahead) {
    int c = 0;
    for (; c + kChannelBlock * 16 <= dim; c += kChannelBlock * 16) {
        accumulate_exact_block<R, kChannelBlock>(block, values + c, dim, low, high, acc + c, ahead);
    }
    for (; c < dim; c += 16) accumulate_exact_block<R, 1>(block, values + c, dim, low, high, acc + c, ahead);
}

// sum[p][r][c] += weights . value codes over half a unit: 8 tokens.
template <int half, int bits, int P, int R, int C>
KVSPLIT_INLINE void accumulate_half(const CodeLoader<bits, kValue>& loader, const IntegerWeights<R>& weights,
                                    const std::uint8_t* low, const std::uint8_t* high, int dim, int unit,
                                    i32x16 (&sum)[P][R][C]) {
    bytes64 v[C][2];
    for (int c = 0; c < C; ++c) {
        loader.template load<half>(low + c * 64, high + c * 64, unit, std::ptrdiff_t{dim} * 4, v[c]);
    }
    for (int o = 0; o < 2; ++o) {
        for (int p = 0; p < P; ++p) {
            for (int r = 0; r < R; ++r) {
                const bytes64 w = set1_4bytes(weights.quad(p, r, unit, 2 * half + o));
                for (int c = 0; c < C; ++c) sum[p][r][c] = dot_values<bits, P == 2>(sum[p][r][c], w, v[c][o]);
            }
        }
    }
}

template <int bits, int R, bool wide, int C>
KVSPLIT_INLINE void accumulate_codes_block(const CodeLoader<bits, kValue>& loader,
                                           const IntegerWeights<R>& weights, const RowBlock& block,
                                           const std::uint8_t* low, const std::uint8_t* high, int dim,
                                           float* acc, ReadAhead& ahead) {
    constexpr int kPlanes = wide ? 2 : 1;
    i32x16 sum[kPlanes][R][C];
    for (int p = 0; p < kPlanes; ++p) {
        for (int r = 0; r < R; ++r) {
            for (int c = 0; c < C; ++c) sum[p][r][c] = zero_i32();
        }
    }
    for (int unit = 0; unit < kTokens / 16; ++unit) {
        if (C == kChannelBlock || unit % 2 == 0) ahead.step();
        accumulate_half<0, bits>(loader, weights, low, high, dim, unit, sum);
        accumulate_half<1, bits>(loader, weights, low, high, dim, unit, sum);
    }
    constexpr float kOffset = ValueGrid<bits>::kOffset;
    for (int r = 0; r < R; ++r) {
        const f32x16 unit = set1(weights.unit[r] * ValueGrid<bits>::kFactor);
        for (int c = 0; c < C; ++c) {
            f32x16 s = to_f32(sum[0][r][c]);
            if constexpr (wide) s = fmadd(s, set1(128.0f), to_f32(sum[1][r][c]));
            if constexpr (kOffset != 0.0f) s = s + set1(static_cast<float>(weights.sum[r]) * kOffset);
            float* a = acc + r * dim + c * 16;
            store(a, fmadd(s, unit, load(a) * set1(block.rescale[r])));
        }
    }
}

template <int bits, int R, bool wide>
void accumulate_codes(const PageRun& run, const std::byte* page, int kv_head, const codec::HeadShape& head,
                      const RowBlock& block, float* acc, ReadAhead& ahead) {
    constexpr int kBlock = wide && kChannelBlock > 1 ? kChannelBlock / 2 : kChannelBlock;
    const codec::PageLayout& l = *run.layout;
    const auto* low = reinterpret_cast<const std::uint8_t*>(page + l.value_codes.at(kv_head));
    const std::uint8_t* high = low + l.value_high_plane;
    const auto* scales = reinterpret_cast<const std::uint16_t*>(page + l.value_scales.at(kv_head));
    const CodeLoader<bits, kValue> loader;
    const int dim = head.padded_dim;
    IntegerWeights<R> weights;
    for (int g = 0; g < head.n_groups; ++g) {
        round_weights<R, wide, ValueGrid<bits>::kOffset != 0.0f>(block, scales + g * kTokens, weights);
        int c = g * head.group;
        const int end = c + head.group;
        for (; c + kBlock * 16 <= end; c += kBlock * 16) {
            accumulate_codes_block<bits, R, wide, kBlock>(loader, weights, block, low + c * 4, high + c * 4,
                                                          dim, acc + c, ahead);
        }
        for (; c < end; c += 16) {
            accumulate_codes_block<bits, R, wide, 1>(loader, weights, block, low + c * 4, high + c * 4, dim,
                                                     acc + c, ahead);
        }
    }
}

// ---- one page, R rows

template <int R>
void score_page(const PageRun& run, const std::byte* page, int kv_head, const QueryTile& tile, int row,
                const codec::HeadShape& head, int n_vectors, RowBlock& block, ReadAhead& ahead) {
    if (run.key_bits < 16) {
        return with_width(run.key_bits, [&](auto width) KVSPLIT_LAMBDA_INLINE {
            score_codes<width.bits, R>(run, page, kv_head, tile, row, head, block, ahead);
        });
    }
    const codec::PageLayout& l = *run.layout;
    const std::byte* keys = page + l.key_codes.at(kv_head);
    const float* q = tile.q + static_cast<std::ptrdiff_t>(row) * head.head_dim;
    if (run.key_bits == 32) {
        return score_exact<R>(q, head.head_dim, reinterpret_cast<const float*>(keys), n_vectors, block,
                              ahead);
    }
    score_exact<R>(q, head.head_dim, reinterpret_cast<const std::uint16_t*>(keys), n_vectors, block, ahead);
}

template <int R>
void accumulate_page(const PageRun& run, const std::byte* page, int kv_head, const AttentionShape& shape,
                     const RowBlock& block, int low, int high, float* acc, ReadAhead& ahead) {
    const codec::HeadShape& head = shape.head;
    if (run.value_bits < 16) {
        return with_width(run.value_bits, [&](auto width) KVSPLIT_LAMBDA_INLINE {
            if (shape.wide_weights())
                return accumulate_codes<width.bits, R, true>(run, page, kv_head, head, block, acc, ahead);
            accumulate_codes<width.bits, R, false>(run, page, kv_head, head, block, acc, ahead);
        });
    }
    const codec::PageLayout& l = *run.layout;
    const std::byte* values = page + l.value_codes.at(kv_head);
    const int dim = head.padded_dim;
    if (run.value_bits == 32) {
        return accumulate_exact<R>(block, reinterpret_cast<const float*>(values), dim, low, high, acc, ahead);
    }
    accumulate_exact<R>(block, reinterpret_cast<const std::uint16_t*>(values), dim, low, high, acc, ahead);
}

template <int R>
void attend_page(const PageRun& run, int index, int kv_head, const QueryTile& tile, int row,
                 const AttentionShape& shape, SoftmaxState& state, ReadAhead& ahead) {
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
    score_page<R>(run, run.pages[index], kv_head, tile, row, shape.head, n_vectors, block, ahead);
    if (tile.soft_cap > 0 || tile.slopes) adjust_scores<R>(tile, row, first, n_vectors, block);
    ahead.step();
    soften<R>(block, low, high, state.max + row, state.sum + row * 16);
    ahead.step();
    accumulate_page<R>(run, run.pages[index], kv_head, shape, block, min_low, max_high,
                       state.acc + static_cast<std::ptrdiff_t>(row) * shape.head.padded_dim, ahead);
}

// One head's part of a page.
KVSPLIT_INLINE void attend_head(const AttentionShape& shape, const PageRun& run, int page, int head,
                                const QueryTile& tile, SoftmaxState& state, ReadAhead& ahead) {
    int row = 0;
    for (; row + kRowBlock <= tile.n_rows; row += kRowBlock)
        attend_page<kRowBlock>(run, page, head, tile, row, shape, state, ahead);
    switch (tile.n_rows - row) {
        case 3:
            return attend_page<3>(run, page, head, tile, row, shape, state, ahead);
        case 2:
            return attend_page<2>(run, page, head, tile, row, shape, state, ahead);
        case 1:
            return attend_page<1>(run, page, head, tile, row, shape, state, ahead);
        default:
            return;
    }
}

// Adds the keys and values of a run of pages to the states of its heads: tiles and states of run.n_heads.
// Page by page, so that the pages are read front to back.
void attend(const AttentionShape& shape, const PageRun& run, const QueryTile* tiles, SoftmaxState* states) {
    for (int page = 0; page < run.n_pages; ++page) {
        for (int i = 0; i < run.n_heads; ++i) {
            const bool last = i + 1 == run.n_heads;
            const int steps = steps_of_page(shape) * ((tiles[i].n_rows + kRowBlock - 1) / kRowBlock);
            ReadAhead ahead(run, last ? page + 1 : page, last ? run.head : run.head + i + 1, steps);
            attend_head(shape, run, page, run.head + i, tiles[i], states[i], ahead);
        }
    }
}

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
