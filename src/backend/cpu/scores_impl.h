// Attention's logits from a page's keys, exact or as codes. Part of a kernel translation unit (simd.h).
#pragma once

#include "backend/cpu/attention_kernels.h"
#include "backend/cpu/code_loader.h"
#include "backend/cpu/simd/simd.h"
#include "backend/cpu/softmax_impl.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

// Vectors of tokens, or of channels, that are held in accumulators at once for each of so many rows.
constexpr int accumulated_vectors([[maybe_unused]] int rows) {
#if defined(KVSPLIT_ISA_AVX512)
    return rows > kRowQuad ? 2 : 4;
#else
    return 1;
#endif
}

// What is read next, asked for a few lines at a time all through the work: a processor has some ten to twenty
// requests open at once, and waits where more are made together. Left to the hardware's own prefetching,
// which starts anew on every page, decoding waits for memory most of the time.
class ReadAhead {
  public:
    // n_steps: how often step() will be called for a head of a page.
    KVSPLIT_INLINE ReadAhead(const PageRun& run, int n_steps)
        : run_(run),
          stride_(lines_of(run.layout->blocks.bytes, n_steps)),
          first_stride_(lines_of(run.layout->blocks.offset + run.layout->blocks.bytes, n_steps)) {}

    // All that `head` reads of a page; with the run's first head also the page's header. Past the last page
    // there is nothing.
    KVSPLIT_INLINE void start(int page, int head) {
        next_ = end_;
        if (page == run_.n_pages) return;
        const codec::PageArray& blocks = run_.layout->blocks;
        const std::byte* block = run_.pages[page] + blocks.at(head);
        const bool first = head == run_.head;
        next_ = first ? block - blocks.offset : block;
        end_ = block + blocks.bytes;
        step_ = first ? first_stride_ : stride_;
    }
    KVSPLIT_INLINE void step() {
        const std::byte* stop = next_ + step_ < end_ ? next_ + step_ : end_;
        for (; next_ < stop; next_ += 64) prefetch(next_);
    }

  private:
    KVSPLIT_INLINE static std::ptrdiff_t lines_of(std::size_t bytes, int n_steps) {
        return static_cast<std::ptrdiff_t>((bytes / static_cast<unsigned>(n_steps) + 63) / 64 * 64);
    }

    const PageRun& run_;
    const std::byte *next_ = nullptr, *end_ = nullptr;
    std::ptrdiff_t step_ = 0;
    const std::ptrdiff_t stride_, first_stride_;
};

// How many steps the work on a page makes for a block of rows: one for 16 channels of a block of tokens, one
// for 16 tokens of a block of channels, and two between them.
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

// ---- scores: logits of R rows against a page's 64 keys, times log2(e)

KVSPLIT_INLINE f32x16 load_number(const std::uint16_t* p) { return load_f16(p); }
KVSPLIT_INLINE f32x16 load_number(const float* p) { return load(p); }

// Rows of queries, `stride` floats apart.
struct QueryRows {
    const float* q;
    int stride;
    const float* row(int r) const { return q + static_cast<std::ptrdiff_t>(r) * stride; }
    QueryRows from(int first_row, int channel) const { return {row(first_row) + channel, stride}; }
};

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
                               const std::uint8_t* high, const std::int8_t* q, int dim, std::ptrdiff_t unit,
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

// Key codes of one head of a page, and what they are relative to.
struct CodedKeys {
    const std::uint8_t *low, *high;  // planes
    const std::uint16_t* scales;
    const std::int8_t* means;
    const std::uint16_t* mean_scale;
};

template <int bits, typename Grid, int R, int V>
KVSPLIT_INLINE void score_codes_block(const CodeLoader<bits, kKey>& loader, const CodedKeys& keys,
                                      const QueryCodes& queries, int row, const codec::HeadShape& shape,
                                      int token, f32x16 (*out)[V], ReadAhead& ahead) {
    const std::int8_t* q = queries.codes + static_cast<std::ptrdiff_t>(row) * shape.head_dim;
    const std::int32_t* sums = queries.sums + static_cast<std::ptrdiff_t>(row) * shape.n_groups;
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < V; ++v) out[r][v] = zero_f32();
    }
    const std::uint8_t *low = keys.low + token * 4, *high = keys.high + token * 4;
    std::ptrdiff_t unit = 0;
    for (int g = 0; g < shape.n_groups; ++g) {
        i32x16 acc[R][V];
        for (int r = 0; r < R; ++r) {
            for (int v = 0; v < V; ++v) acc[r][v] = Grid::start(sums[r * shape.n_groups + g]);
        }
        for (int i = 0; i < shape.group / 16; ++i, ++unit) {
            ahead.step();
            score_half<0, bits>(loader, low, high, q + unit * 16, shape.head_dim, unit, acc);
            score_half<1, bits>(loader, low, high, q + unit * 16, shape.head_dim, unit, acc);
        }
        for (int v = 0; v < V; ++v) {
            const f32x16 scale = load_f16(keys.scales + g * kTokens + token + v * 16);
            for (int r = 0; r < R; ++r) {
                const f32x16 dot = Grid::finish(acc[r][v], sums[r * shape.n_groups + g]);
                out[r][v] = fmadd(dot, scale, out[r][v]);
            }
        }
    }
}

// Logits from codes: query . mean + scales * (query codes . key codes), or what they add to the logits of
// other channels. q: the first row. Codes are kept in `bits` bits and stand for what Grid says.
template <int bits, typename Grid, int R, bool add>
void score_codes(const CodedKeys& keys, const QueryRows& q, const QueryCodes& queries, int row,
                 const codec::HeadShape& shape, RowBlock& block, ReadAhead& ahead) {
    f32x16 dot[R];
    f32x16 mean = load_i8_f32(keys.means);
    for (int r = 0; r < R; ++r) dot[r] = load(q.row(r)) * mean;
    for (int c = 16; c < shape.head_dim; c += 16) {
        mean = load_i8_f32(keys.means + c);
        for (int r = 0; r < R; ++r) dot[r] = fmadd(load(q.row(r) + c), mean, dot[r]);
    }
    const float unit = f16_to_f32(*keys.mean_scale) * kLog2E;
    alignas(64) float offsets[32];
    for (int r = 0; r < R; r += kRowQuad) {
        const auto of = [&](int i) KVSPLIT_LAMBDA_INLINE { return dot[r + i < R ? r + i : 0]; };
        store(offsets + r, add_of_4(of(0), of(1), of(2), of(3)) * set1(unit));
    }
    f32x16 offset[R], factor[R];
    for (int r = 0; r < R; ++r) {
        offset[r] = set1(offsets[r]);
        factor[r] = set1(queries.scale[row + r] * (Grid::kFactor * kLog2E));
    }
    const CodeLoader<bits, kKey> loader;
    constexpr int kBlock = accumulated_vectors(R);
    for (int v = 0; v < kVectors; v += kBlock) {
        f32x16 s[R][kBlock];
        score_codes_block<bits, Grid, R, kBlock>(loader, keys, queries, row, shape, v * 16, s, ahead);
        for (int r = 0; r < R; ++r) {
            for (int i = 0; i < kBlock; ++i) {
                float* at = block.scores[r] + (v + i) * 16;
                const f32x16 logits = fmadd(s[r][i], factor[r], offset[r]);
                store(at, add ? load(at) + logits : logits);
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

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
