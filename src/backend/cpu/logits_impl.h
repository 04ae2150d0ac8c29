// Everything in attention's logits besides products of codes. Logits are multiplied by log2(e). Part of a
// kernel translation unit (simd.h).
#pragma once

#include "backend/cpu/attention_kernels.h"
#include "backend/cpu/simd/simd.h"
#include "backend/cpu/softmax_impl.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

// Rows of queries, `stride` floats apart.
struct QueryRows {
    const float* q;
    int stride;
    const float* row(int r) const { return q + static_cast<std::ptrdiff_t>(r) * stride; }
    QueryRows from(int first_row, int channel) const { return {row(first_row) + channel, stride}; }
};

// Key codes of one head of a page, with their scales and means.
struct CodedKeys {
    const std::uint8_t *low, *high;   // planes
    const std::uint16_t* scales;      // (n_groups, 64)
    const std::int8_t* means;         // (padded_dim)
    const std::uint16_t* mean_scale;  // one
};
KVSPLIT_INLINE CodedKeys coded_keys(const codec::PageLayout& l, const std::byte* page, int kv_head) {
    const auto* codes = reinterpret_cast<const std::uint8_t*>(page + l.key_codes.at(kv_head));
    return {codes, codes + l.key_high_plane,
            reinterpret_cast<const std::uint16_t*>(page + l.key_scales.at(kv_head)),
            reinterpret_cast<const std::int8_t*>(page + l.key_means.at(kv_head)),
            reinterpret_cast<const std::uint16_t*>(page + l.key_mean_scales.at(kv_head))};
}

// Sets the factor of the logits of the block's R rows, and their offset, query . mean. query_scale: (R) the
// rows' scales; unit: the value of a product of 1.
template <int R>
KVSPLIT_INLINE void find_terms(const CodedKeys& keys, const QueryRows& q, int dim, const float* query_scale,
                               float unit, RowBlock& block) {
    f32x16 dot[R];
    f32x16 mean = load_i8_f32(keys.means);
    for (int r = 0; r < R; ++r) dot[r] = load_up_to_16(q.row(r), dim) * mean;
    int c = 16;
    for (; c + 16 <= dim; c += 16) {
        mean = load_i8_f32(keys.means + c);
        for (int r = 0; r < R; ++r) dot[r] = fmadd(load(q.row(r) + c), mean, dot[r]);
    }
    if (c < dim) {
        mean = load_i8_f32(keys.means + c);
        for (int r = 0; r < R; ++r) dot[r] = fmadd(load_first(q.row(r) + c, dim - c), mean, dot[r]);
    }
    const float mean_scale = f16_to_f32(*keys.mean_scale) * kLog2E;
    const f32x16 of_mean = of_row_quads<R>([&](auto row) KVSPLIT_LAMBDA_INLINE {
        return add_of_4(dot[row(0)], dot[row(1)], dot[row(2)], dot[row(3)]);
    });
    store(block.offset, of_mean * set1(mean_scale));
    store(block.factor, max(load_first(query_scale, R) * set1(unit * kLog2E), set1(1e-30f)));
}
// The same for rows whose scores already are logits.
KVSPLIT_INLINE void set_terms(RowBlock& block) {
    store(block.factor, set1(1.0f));
    store(block.offset, zero_f32());
}

// Turns the scores of the block's n_rows rows into logits.
inline void make_logits(RowBlock& block, int n_rows, int n_vectors) {
    for (int r = 0; r < n_rows; ++r) {
        const f32x16 factor = set1(block.factor[r]), offset = set1(block.offset[r]);
        for (int v = 0; v < n_vectors; ++v) {
            float* score = block.scores[r] + v * 16;
            store(score, fmadd(load(score), factor, offset));
        }
    }
    set_terms(block);
}

// Applies soft cap and ALiBi to the logits of the tile's n_rows rows from `row` on, for a page whose first
// token is `first`.
inline void adjust_logits(const QueryTile& tile, int row, int n_rows, int first, int n_vectors,
                          RowBlock& block) {
    make_logits(block, n_rows, n_vectors);
    alignas(64) float lanes[16];
    for (int i = 0; i < 16; ++i) lanes[i] = static_cast<float>(i);
    const f32x16 lane = load(lanes);
    const float cap = tile.soft_cap * kLog2E;
    for (int r = 0; r < n_rows; ++r) {
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
