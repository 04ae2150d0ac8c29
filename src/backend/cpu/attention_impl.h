// Attention on page codes. Part of a kernel translation unit (simd.h).
//
// Rows are processed in blocks of up to kRowBlock, which share loaded codes. Every row's result comes from
// the same sequence of operations in any tile: pages in order, all 64 tokens of a page at once, masked tokens
// with weight 0.
#pragma once

#include "backend/cpu/attention_kernels.h"
#include "backend/cpu/byte_weights_impl.h"
#include "backend/cpu/code_loader.h"
#include "backend/cpu/latent_impl.h"
#include "backend/cpu/scores_impl.h"
#include "backend/cpu/simd/simd.h"
#include "backend/cpu/softmax_impl.h"
#include "backend/cpu/width_dispatch.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

// The work on a page for up to kRowBlock rows of a head.
struct Unit {
    int page, head, row, n_rows;                // `head` is relative to the run's first
    bool whole;                                 // every row sees every token
    int low[kRowBlock], high[kRowBlock];        // otherwise: the tokens that each row sees
    int first_token = kTokens, last_token = 0;  // tokens seen by any row: the first, and one past the last
    RowBlock block;
    IntegerWeights weights;  // for the values' first scale group

    // Whether any row sees the page; if not, it does not change the state.
    KVSPLIT_INLINE bool find_tokens(const PageRun& run, const QueryTile& tile) {
        const int first = (run.first_page + page) * kTokens;
        const std::int32_t a = tile.position[row],
                           b = tile.position[row + n_rows - 1];  // the smallest and largest, in either order
        whole = tile.window == 0 && run.n_tokens == kTokens && (first > 0 || run.first_token == 0) &&
                (a < b ? a : b) >= first + kTokens - 1;
        if (whole) {
            first_token = 0, last_token = kTokens;
            return true;
        }
        first_token = kTokens, last_token = 0;
        for (int r = 0; r < n_rows; ++r) {
            const int position = tile.position[row + r];
            low[r] = first == 0 ? run.first_token : 0;
            if (tile.window > 0 && position - tile.window + 1 - first > low[r])
                low[r] = position - tile.window + 1 - first;
            high[r] = position + 1 - first < run.n_tokens ? position + 1 - first : run.n_tokens;
            first_token = low[r] < first_token ? low[r] : first_token;
            last_token = high[r] > last_token ? high[r] : last_token;
        }
        return first_token < last_token;
    }
};

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
    constexpr int kBlock = accumulated_vectors(R);
    int c = 0;
    for (; c + kBlock * 16 <= dim; c += kBlock * 16) {
        accumulate_exact_block<R, kBlock>(block, values + c, dim, low, high, acc + c, ahead);
    }
    for (; c < dim; c += 16) accumulate_exact_block<R, 1>(block, values + c, dim, low, high, acc + c, ahead);
}

// sum[p][r][c] += weights . value codes over half a unit: 8 tokens.
template <int half, int bits, int P, int R, int C>
KVSPLIT_INLINE void accumulate_half(const CodeLoader<bits, kValue>& loader, const IntegerWeights& weights,
                                    int first, const std::uint8_t* low, const std::uint8_t* high, int dim,
                                    int unit, i32x16 (&sum)[P][R][C]) {
    bytes64 v[C][2];
    for (int c = 0; c < C; ++c) {
        loader.template load<half>(low + c * 64, high + c * 64, unit, std::ptrdiff_t{dim} * 4, v[c]);
    }
    for (int o = 0; o < 2; ++o) {
        for (int p = 0; p < P; ++p) {
            for (int r = 0; r < R; ++r) {
                const bytes64 w = set1_4bytes(weights.quad(p, first + r, unit, 2 * half + o));
                for (int c = 0; c < C; ++c) sum[p][r][c] = dot_values<bits, P == 2>(sum[p][r][c], w, v[c][o]);
            }
        }
    }
}

template <int bits, int R, bool wide, int C>
KVSPLIT_NOINLINE void accumulate_codes_block(const CodeLoader<bits, kValue>& loader,
                                             const IntegerWeights& weights, const RowBlock& block, int first,
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
        if (unit % (accumulated_vectors(R) / C) == 0) ahead.step();
        accumulate_half<0, bits>(loader, weights, first, low, high, dim, unit, sum);
        accumulate_half<1, bits>(loader, weights, first, low, high, dim, unit, sum);
    }
    constexpr float kOffset = ValueGrid<bits>::kOffset;
    with_flag(block.rescaled, [&](auto rescaled) KVSPLIT_LAMBDA_INLINE {
        for (int r = 0; r < R; ++r) {
            for (int c = 0; c < C; ++c) {
                f32x16 s = to_f32(sum[0][r][c]);
                if constexpr (wide) s = fmadd(s, set1(128.0f), to_f32(sum[1][r][c]));
                if constexpr (kOffset != 0.0f)
                    s = s + set1(static_cast<float>(weights.sum[first + r]) * kOffset);
                float* at = acc + r * dim + c * 16;
                const f32x16 before = rescaled.value ? load(at) * set1(block.rescale[first + r]) : load(at);
                store(at, fmadd(s, set1(weights.unit[first + r]), before));
            }
        }
    });
}

KVSPLIT_INLINE const std::uint16_t* value_scales(const PageRun& run, const Unit& unit) {
    return reinterpret_cast<const std::uint16_t*>(run.pages[unit.page] +
                                                  run.layout->value_scales.at(run.head + unit.head));
}

// R rows from the unit's row `first` on.
template <int bits, int R, bool wide>
void accumulate_codes(const PageRun& run, const codec::HeadShape& shape, const Unit& unit, int first,
                      float* acc, ReadAhead& ahead) {
    constexpr int kMost = accumulated_vectors(R), kBlock = wide && kMost > 1 ? kMost / 2 : kMost;
    const codec::PageLayout& l = *run.layout;
    const auto* low =
        reinterpret_cast<const std::uint8_t*>(run.pages[unit.page] + l.value_codes.at(run.head + unit.head));
    const std::uint8_t* high = low + l.value_high_plane;
    const CodeLoader<bits, kValue> loader;
    const RowBlock& block = unit.block;
    const int dim = shape.padded_dim;
    IntegerWeights of_group;
    for (int g = 0; g < shape.n_groups; ++g) {
        if (g > 0) {
            const std::uint16_t* scales = value_scales(run, unit) + g * kTokens;
            if constexpr (wide) {
                round_weights<R, ValueGrid<bits>>(block, first, scales, of_group);
            } else {
                round_words<R, ValueGrid<bits>>(block, scales, of_group);
            }
        }
        const IntegerWeights& weights = g == 0 ? unit.weights : of_group;
        int c = g * shape.group;
        const int end = c + shape.group;
        for (; c + kBlock * 16 <= end; c += kBlock * 16) {
            accumulate_codes_block<bits, R, wide, kBlock>(loader, weights, block, first, low + c * 4,
                                                          high + c * 4, dim, acc + c, ahead);
        }
        for (; c < end; c += 16) {
            accumulate_codes_block<bits, R, wide, 1>(loader, weights, block, first, low + c * 4, high + c * 4,
                                                     dim, acc + c, ahead);
        }
    }
}

// ---- one page, R rows

template <int R>
void score_page(const PageRun& run, const std::byte* page, int kv_head, const QueryTile& tile, int row,
                const codec::KvHead& head, int n_vectors, RowBlock& block, ReadAhead& ahead) {
    const codec::PageLayout& l = *run.layout;
    const codec::HeadShape& shape = head.key;
    const QueryRows q = QueryRows{tile.q, head.query_dim()}.from(row, 0);
    const std::byte* keys = page + l.key_codes.at(kv_head);
    if (run.key_bits < 16) {
        const CodedKeys coded = coded_keys(l, page, kv_head);
        return with_width(run.key_bits, [&](auto width) KVSPLIT_LAMBDA_INLINE {
            score_codes<width.bits, KeyGrid<width.bits>, R>(coded, q, tile.key, row, shape, block, ahead);
        });
    }
    if (run.key_bits == 32) {
        return score_exact<R>(q, shape.head_dim, reinterpret_cast<const float*>(keys), n_vectors, block,
                              ahead);
    }
    score_exact<R>(q, shape.head_dim, reinterpret_cast<const std::uint16_t*>(keys), n_vectors, block, ahead);
}

template <int R>
void accumulate_page(const PageRun& run, const AttentionShape& shape, const Unit& unit, float* acc,
                     ReadAhead& ahead) {
    const codec::HeadShape& side = shape.head.value;
    const int dim = side.padded_dim;
    if (run.value_bits < 16) {
        return with_width(run.value_bits, [&](auto width) KVSPLIT_LAMBDA_INLINE {
            if (!shape.wide_weights())
                return accumulate_codes<width.bits, R, false>(run, side, unit, 0, acc, ahead);
            // With two planes of weights, the sums of four rows fill the registers.
            for (int r = 0; r < R; r += kRowQuad) {
                accumulate_codes<width.bits, (R < kRowQuad ? R : kRowQuad), true>(
                    run, side, unit, r, acc + static_cast<std::ptrdiff_t>(r) * dim, ahead);
            }
        });
    }
    const std::byte* values = run.pages[unit.page] + run.layout->value_codes.at(run.head + unit.head);
    const int low = unit.first_token, high = unit.last_token;
    if (run.value_bits == 32) {
        return accumulate_exact<R>(unit.block, reinterpret_cast<const float*>(values), dim, low, high, acc,
                                   ahead);
    }
    accumulate_exact<R>(unit.block, reinterpret_cast<const std::uint16_t*>(values), dim, low, high, acc,
                        ahead);
}

template <int R>
void score_unit(const AttentionShape& shape, const PageRun& run, const QueryTile& tile,
                const Latents& latents, Unit& unit, ReadAhead& ahead) {
    const int n_vectors = (unit.last_token + 15) / 16;
    score_page<R>(run, run.pages[unit.page], run.head + unit.head, tile, unit.row, shape.head, n_vectors,
                  unit.block, ahead);
    if (shape.head.latent) {
        make_logits(unit.block, R, n_vectors);
        latents.add_scores<R>(tile, unit.row, n_vectors, unit.block, ahead);
    }
    if (tile.soft_cap > 0 || tile.slopes) {
        adjust_logits(tile, unit.row, R, (run.first_page + unit.page) * kTokens, n_vectors, unit.block);
    }
}

// Turns scores into weights, and these into integers for the values' first scale group. Done early, so that
// the products of the next unit's keys hide the latency.
template <int R>
void soften_unit(const AttentionShape& shape, const PageRun& run, Unit& unit, SoftmaxState& state) {
    RowBlock& block = unit.block;
    float *max = state.max + unit.row, *sum = state.sum + unit.row * 16;
    if (weights_have_bytes(shape, run)) {
        return with_width(run.value_bits, [&](auto width) KVSPLIT_LAMBDA_INLINE {
            soften_to_bytes<R, ValueGrid<width.bits>>(block, unit.whole, unit.low, unit.high, max, sum,
                                                      value_scales(run, unit), unit.weights);
        });
    }
    constexpr int kRows = R < kRowQuad ? R : kRowQuad;
    block.rescaled = false;
    for (int r = 0; r < R; r += kRowQuad)
        soften<kRows>(block, r, unit.whole, unit.low + r, unit.high + r, max + r, sum + r * 16);
    if (run.value_bits >= 16) return;
    with_width(run.value_bits, [&](auto width) KVSPLIT_LAMBDA_INLINE {
        for (int r = 0; r < R; r += kRowQuad)
            round_weights<kRows, ValueGrid<width.bits>>(block, r, value_scales(run, unit), unit.weights);
    });
}

template <int R>
void accumulate_unit(const AttentionShape& shape, const PageRun& run, const Latents& latents,
                     const Unit& unit, SoftmaxState& state, ReadAhead& ahead) {
    float* acc = state.acc + static_cast<std::ptrdiff_t>(unit.row) * shape.head.value.padded_dim;
    accumulate_page<R>(run, shape, unit, acc, ahead);
    if (shape.head.latent) latents.add_means<R>(unit.block, weights_have_bytes(shape, run), acc);
}

// The largest part of a page, per head, whose values may wait for the next page's keys. Beyond that the
// waiting values, the current keys and what is read ahead do not fit into the L1 cache together.
inline constexpr std::ptrdiff_t kWaitingBytes = 12 << 10;

// Adds the keys and values of a run of pages to the states of its heads: tiles and states of run.n_heads.
// Goes page by page, so that pages are read front to back. A unit's values wait until the next unit's keys
// are done: softmax is a chain of dependent operations, whose latency the products of keys hide.
void attend(const AttentionShape& shape, const PageRun& run, const QueryTile* tiles, SoftmaxState* states) {
    Latents latents;
    Unit units[2];
    Unit *unit = &units[0], *waiting = nullptr;
    const auto accumulate = [&](ReadAhead& ahead) KVSPLIT_LAMBDA_INLINE {
        if (!waiting) return;
        with_rows(waiting->n_rows, [&](auto rows) KVSPLIT_LAMBDA_INLINE {
            accumulate_unit<rows.n>(shape, run, latents, *waiting, states[waiting->head], ahead);
        });
        waiting = nullptr;
    };
    ReadAhead ahead(run, steps_of_page(shape, tiles[0].n_rows));  // tiles of a run have equally many rows
    for (int page = 0; page < run.n_pages; ++page) {
        for (int head = 0; head < run.n_heads; ++head) {
            if (shape.head.latent || run.layout->blocks.bytes > kWaitingBytes) accumulate(ahead);
            if (shape.head.latent) latents.read(run, page, run.head + head, shape.head);
            const QueryTile& tile = tiles[head];
            const bool last = head + 1 == run.n_heads;
            ahead.start(last ? page + 1 : page, last ? run.head : run.head + head + 1);
            for (int row = 0; row < tile.n_rows; row += rows_of_block(tile.n_rows - row)) {
                unit->page = page, unit->head = head, unit->row = row;
                unit->n_rows = rows_of_block(tile.n_rows - row);
                if (!unit->find_tokens(run, tile)) continue;
                with_rows(unit->n_rows, [&](auto rows) KVSPLIT_LAMBDA_INLINE {
                    score_unit<rows.n>(shape, run, tile, latents, *unit, ahead);
                });
                ahead.step();
                accumulate(ahead);
                ahead.step();
                with_rows(unit->n_rows, [&](auto rows) KVSPLIT_LAMBDA_INLINE {
                    soften_unit<rows.n>(shape, run, *unit, states[head]);
                });
                waiting = unit;
                unit = unit == &units[0] ? &units[1] : &units[0];
            }
        }
    }
    accumulate(ahead);
}

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
