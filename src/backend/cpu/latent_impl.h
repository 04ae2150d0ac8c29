// The latents of a page, used as keys. Part of a kernel translation unit (simd.h).
//
// Latents are stored once, in the values' layout: quads of tokens. All query heads share them, so it pays to
// convert a page's codes to the keys' layout, quads of channels in 8 bits, once for all query rows. Only one
// page at a time is converted, so it stays in the L1 cache.
#pragma once

#include "backend/cpu/attention_rows.h"
#include "backend/cpu/scores_impl.h"
#include "backend/cpu/simd/simd.h"
#include "backend/cpu/simd/simd_pages.h"
#include "backend/cpu/width_dispatch.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

class Latents {
  public:
    // Selects the head and page for add_scores() and add_means(). The page must outlive their use.
    void read(const PageRun& run, int index, int kv_head, const codec::KvHead& head) {
        const std::byte* page = run.pages[index];
        const codec::PageLayout& l = *run.layout;
        head_ = &head;
        bits_ = run.value_bits;
        values_ = page + l.value_codes.at(kv_head);
        if (bits_ >= 16) return;
        const auto* low = reinterpret_cast<const std::uint8_t*>(values_);
        keys_ = {codes_, codes_, reinterpret_cast<const std::uint16_t*>(page + l.value_scales.at(kv_head)),
                 reinterpret_cast<const std::int8_t*>(page + l.value_means.at(kv_head)),
                 reinterpret_cast<const std::uint16_t*>(page + l.value_mean_scales.at(kv_head))};
        with_width(bits_, [&](auto width) KVSPLIT_LAMBDA_INLINE {
            turn_codes<width.bits>(low, low + l.value_high_plane);
        });
        const f32x16 scale = set1(f16_to_f32(*keys_.mean_scale));
        const int dim = head.value.padded_dim;
        for (int c = 0; c < dim; c += 16) store(rotated_mean_ + c, load_i8_f32(keys_.means + c) * scale);
        hadamard(rotated_mean_, dim, head.value.hadamard_size);
    }

    // Adds the products with the latents to the logits of R rows.
    template <int R>
    void add_scores(const QueryTile& tile, int row, int n_vectors, RowBlock& block, ReadAhead& ahead) const {
        const codec::HeadShape& shape = head_->value;
        const QueryRows q = QueryRows{tile.q, head_->query_dim()}.from(row, head_->key.head_dim);
        if (bits_ == 32)
            return add_exact<R>(q, reinterpret_cast<const float*>(values_), n_vectors, block, ahead);
        if (bits_ == 16)
            return add_exact<R>(q, reinterpret_cast<const std::uint16_t*>(values_), n_vectors, block, ahead);
        RowBlock latent;
        if (codec::has_levels(bits_)) {
            score_codes<8, KeyGrid<4>, R>(keys_, q, tile.latent, row, shape, latent, ahead);
        } else {
            score_codes<8, KeyGrid<8>, R>(keys_, q, tile.latent, row, shape, latent, ahead);
        }
        make_logits(latent, R, kVectors);
        for (int r = 0; r < R; ++r) {
            for (int t = 0; t < kTokens; t += 16)
                store(block.scores[r] + t, load(block.scores[r] + t) + load(latent.scores[r] + t));
        }
    }

    // Adds the mean times the sum of the weights to the rotated sums of R rows.
    template <int R>
    void add_means(const RowBlock& block, bool weights_are_words, float* acc) const {
        if (bits_ >= 16) return;
        const int dim = head_->value.padded_dim;
        f32x16 weight[R];
        for (int r = 0; r < R; ++r) {
            const float* w = block.scores[r];
            weight[r] = set1(weights_are_words
                                 ? sum_of_words(block, r)
                                 : reduce_add((load(w) + load(w + 16)) + (load(w + 32) + load(w + 48))));
        }
        for (int c = 0; c < dim; c += 16) {
            const f32x16 mean = load(rotated_mean_ + c);
            for (int r = 0; r < R; ++r)
                store(acc + r * dim + c, fmadd(weight[r], mean, load(acc + r * dim + c)));
        }
    }

  private:
    // Converts to key codes of 8 bits: uniform codes, or levels + 128.
    template <int bits>
    void turn_codes(const std::uint8_t* low, const std::uint8_t* high) {
        const CodeLoader<bits, kValue> loader;
        const bytes64 zero = set1_byte(is_small(bits) ? 128 - (1 << (bits - 1)) : 128);
        const int dim = head_->value.padded_dim;
        for (int c = 0; c < dim; c += 16) {
            for (int unit = 0; unit < kTokens / 16; ++unit) {
                bytes64 half[2][2], quads[4];
                loader.template load<0>(low + c * 4, high + c * 4, unit, std::ptrdiff_t{dim} * 4, half[0]);
                loader.template load<1>(low + c * 4, high + c * 4, unit, std::ptrdiff_t{dim} * 4, half[1]);
                transpose_quads({half[0][0] + zero, half[0][1] + zero, half[1][0] + zero, half[1][1] + zero},
                                quads);
                std::uint8_t* to = codes_ + (c / 4 * kTokens + unit * 16) * 4;
                store_bytes(to, quads[0]);
                store_bytes(to + kTokens * 4, quads[1]);
                store_bytes(to + kTokens * 8, quads[2]);
                store_bytes(to + kTokens * 12, quads[3]);
            }
        }
    }

    // acc[r][first + t] = q[r] . latent of token t, in 16 parts
    template <int R, int T, typename Number>
    static KVSPLIT_INLINE void multiply_rows(const QueryRows& q, const codec::HeadShape& shape,
                                             const Number* values, f32x16 (&acc)[R][4], int first,
                                             ReadAhead& ahead) {
        f32x16 sum[R][T];
        for (int r = 0; r < R; ++r) {
            for (int t = 0; t < T; ++t) sum[r][t] = zero_f32();
        }
        const auto add = [&](int c, auto load_query) KVSPLIT_LAMBDA_INLINE {
            f32x16 v[T];
            for (int t = 0; t < T; ++t) v[t] = load_number(values + t * shape.padded_dim + c);
            for (int r = 0; r < R; ++r) {
                const f32x16 x = load_query(q.row(r) + c);
                for (int t = 0; t < T; ++t) sum[r][t] = fmadd(x, v[t], sum[r][t]);
            }
        };
        int c = 0;
        for (; c + 16 <= shape.head_dim; c += 16) {
            if (c % 256 == 0) ahead.step();
            add(c, [](const float* p) KVSPLIT_LAMBDA_INLINE { return load(p); });
        }
        const int left = shape.head_dim - c;
        if (left > 0) add(c, [left](const float* p) KVSPLIT_LAMBDA_INLINE { return load_first(p, left); });
        for (int r = 0; r < R; ++r) {
            for (int t = 0; t < T; ++t) acc[r][first + t] = sum[r][t];
        }
    }

    template <int R, typename Number>
    void add_exact(const QueryRows& q, const Number* values, int n_vectors, RowBlock& block,
                   ReadAhead& ahead) const {
        const codec::HeadShape& shape = head_->value;
        constexpr int kBlock = accumulated_vectors(R);
        for (int t = 0; t < n_vectors * 16; t += 4) {
            f32x16 acc[R][4];
            for (int i = 0; i < 4; i += kBlock) {
                multiply_rows<R, kBlock>(q, shape, values + (t + i) * shape.padded_dim, acc, i, ahead);
            }
            for (int r = 0; r < R; ++r) {
                const f32x16 products = add_of_4(acc[r][0], acc[r][1], acc[r][2], acc[r][3]);
                float* scores = block.scores[r] + t;
                store_first(scores, fmadd(products, set1(kLog2E), load_first(scores, 4)), 4);
            }
        }
    }

    const codec::KvHead* head_ = nullptr;
    const std::byte* values_ = nullptr;
    int bits_ = 16;
    CodedKeys keys_{};
    alignas(64) float rotated_mean_[codec::kMaxHeadDim];
    alignas(64) std::uint8_t codes_[codec::kMaxHeadDim * kTokens];
};

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
