// Attention kernels against double precision over the pages' decoded contents, and against each other.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/sets_and_heads.h"
#include "codec/pages.h"
#include "codec/reference.h"
#include "codec/smoothing.h"

namespace kvsplit::cpu {
namespace {

using namespace codec;

constexpr int kPages = 3, kHeads = 2, kHead = 1, kRows = 15;  // 8 + 4 + 3

// The contents of three pages of one layer (numbers 1 to 3) before sealing, and some queries.
struct OpenPages {
    KvHead head;
    std::vector<std::vector<std::uint16_t>> keys, values;
    std::vector<float> smoothing, q;
    std::vector<std::int32_t> positions;

    OpenPages(const KvHead& of, codec::test::PageKind kind) : head(of) {
        const int dim = head.query_dim();
        smoothing = codec::test::make_smoothing(head.key.head_dim, 5);
        std::mt19937 rng(static_cast<unsigned>(dim));
        std::normal_distribution<float> normal(0.0f, 1.0f / std::sqrt(static_cast<float>(dim)));
        for (int i = 0; i < kRows * dim; ++i) q.push_back(normal(rng));
        // Some rows see all pages, some end inside the last one.
        for (int r = 0; r < kRows; ++r) positions.push_back((1 + kPages) * kPageTokens - 1 - 9 * r);
        const auto value_kind = head.latent ? kind : codec::test::PageKind::kNormal;
        for (unsigned p = 0; p < kPages; ++p) {
            const auto k = codec::test::make_tokens(kind, head.key.head_dim, 2 * p + 1);
            const auto v = codec::test::make_tokens(value_kind, head.value.head_dim, 2 * p + 2);
            keys.push_back(codec::test::open_keys(k, head.key.head_dim));
            values.push_back(codec::test::open_values(v, head.value));
        }
    }

    // The same in heads that are not padded: with further channels of 0.
    OpenPages widened() const {
        OpenPages wide = *this;
        const int key_dim = head.key.padded_dim, value_dim = head.value.padded_dim;
        wide.head = head.latent ? KvHead::of_latent(key_dim, value_dim) : head_shape(key_dim);
        for (auto& page : wide.keys) page.resize(static_cast<std::size_t>(key_dim) * kPageTokens);
        wide.q.assign(std::size_t{kRows} * static_cast<std::size_t>(wide.head.query_dim()), 0.0f);
        for (int r = 0; r < kRows; ++r) {
            const float* const from = q.data() + r * head.query_dim();
            float* const to = wide.q.data() + r * wide.head.query_dim();
            std::copy_n(from, head.key.head_dim, to);
            if (head.latent) std::copy_n(from + head.key.head_dim, head.value.head_dim, to + key_dim);
        }
        return wide;
    }
};

// The same pages sealed at given widths.
struct Problem {
    const OpenPages& open;
    AttentionShape shape;
    PageLayout layout;
    std::vector<std::vector<std::uint8_t>> pages;
    // Decoded: the means of keys (pages, query_dim), the keys' differences from them (tokens, query_dim), and
    // the values (tokens, value).
    std::vector<double> means, keys, values;

    Problem(const OpenPages& tokens, int key_bits, int value_bits)
        : open(tokens), layout(page_layout({key_bits, value_bits}, open.head, kHeads, 0)) {
        shape = {open.head, layout.key_bits, layout.value_bits};
        for (std::size_t p = 0; p < kPages; ++p) add_page(p);
    }

    void add_page(std::size_t number) {
        const KvHead& head = shape.head;
        std::vector<std::uint8_t> page(layout.bytes);
        encode_key_page(layout, kHead, open.keys[number].data(), open.smoothing.data(), page.data());
        encode_value_page(layout, kHead, open.values[number].data(), page.data());
        const auto size_of = [](const HeadShape& side) {
            return static_cast<std::size_t>(kPageTokens * side.head_dim);
        };
        std::vector<float> key(size_of(head.key)), value(size_of(head.value));
        decode_key_page(layout, kHead, page.data(), open.smoothing.data(), key.data());
        decode_value_page(layout, kHead, page.data(), value.data());
        add_means(page, shape.key_bits, layout.key_mean_scales, layout.key_means, head.key.head_dim);
        if (head.latent)
            add_means(page, shape.value_bits, layout.value_mean_scales, layout.value_means,
                      head.value.head_dim);
        for (int t = 0; t < kPageTokens; ++t) {
            const double* mean = means.data() + number * static_cast<std::size_t>(head.query_dim());
            const auto add_key = [&](const std::vector<float>& from, int dim) {
                for (const float* x = from.data() + t * dim; x < from.data() + (t + 1) * dim; ++x)
                    keys.push_back(*x - *mean++);
            };
            add_key(key, head.key.head_dim);
            if (head.latent) add_key(value, head.value.head_dim);
        }
        values.insert(values.end(), value.begin(), value.end());
        pages.push_back(std::move(page));
    }

    void add_means(const std::vector<std::uint8_t>& page, int bits, const PageArray& scales,
                   const PageArray& codes, int dim) {
        std::uint16_t scale = 0;
        if (bits < 16) std::memcpy(&scale, page.data() + scales.at(kHead), 2);
        for (int c = 0; c < dim; ++c) {
            const auto code =
                bits < 16 ? page[codes.at(kHead) + static_cast<std::size_t>(c)] : std::uint8_t{0};
            means.push_back(double{f16_to_f32(scale)} * static_cast<std::int8_t>(code));
        }
    }

    // The kernels' output rows (kRows, dim).
    std::vector<float> attend(const Kernels& kernels, int window) const {
        const KvHead& h = shape.head;
        struct Prepared {
            Prepared(const HeadShape& side, int bits, const float* smoothing, const Problem& p, int channel,
                     const Kernels& kernels)
                : codes(std::size_t{kRows} * static_cast<std::size_t>(side.padded_dim)),
                  scales(kRows),
                  sums(std::size_t{kRows} * static_cast<std::size_t>(side.n_groups)) {
                std::vector<float> rotated(static_cast<std::size_t>(side.padded_dim));
                for (int r = 0; r < kRows && bits < 16; ++r) {
                    scales[static_cast<std::size_t>(r)] = kernels.prepare_query(
                        side, p.open.q.data() + r * p.shape.head.query_dim() + channel, smoothing,
                        rotated.data(), codes.data() + r * side.padded_dim, sums.data() + r * side.n_groups);
                }
            }
            QueryCodes get() const { return {codes.data(), scales.data(), sums.data()}; }
            std::vector<std::int8_t> codes;
            std::vector<float> scales;
            std::vector<std::int32_t> sums;
        };
        const Prepared key(h.key, shape.key_bits, open.smoothing.data(), *this, 0, kernels),
            latent(h.value, h.latent ? shape.value_bits : 16, nullptr, *this, h.key.head_dim, kernels);
        std::vector<const std::byte*> pointers;
        for (const auto& page : pages) pointers.push_back(reinterpret_cast<const std::byte*>(page.data()));
        const PageRun run{pointers.data(), kPages,           1, &layout,    kHead, 1,
                          shape.key_bits,  shape.value_bits, 0, kPageTokens};
        const QueryTile tile{kRows, open.q.data(), key.get(), latent.get(), open.positions.data(), window};
        std::vector<float> max(kRows, -std::numeric_limits<float>::infinity()), sum(kRows * 16),
            acc(std::size_t{kRows} * static_cast<std::size_t>(h.value.padded_dim));
        SoftmaxState state{max.data(), sum.data(), acc.data()}, none{nullptr, nullptr, nullptr};
        kernels.attend(shape, run, &tile, &state);
        std::vector<float> out(std::size_t{kRows} * static_cast<std::size_t>(h.value.head_dim));
        const bool rotated_values = shape.value_bits < 16;
        kernels.finish_rows(h.value, rotated_values ? state : none, rotated_values ? none : state, kRows, 1,
                            out.data(), h.value.head_dim);
        return out;
    }

    // A query's channels of one side, rounded to int8 by the scalar definition.
    static void round(const HeadShape& side, std::span<const float> smoothing, float* q) {
        const auto d = static_cast<std::size_t>(side.head_dim);
        std::vector<std::int8_t> codes(d);
        const float scale = prepare_query(side, q, smoothing.data(), codes.data());
        for (std::size_t c = 0; c < d; ++c) q[c] = scale * static_cast<float>(codes[c]);
        hadamard(side, q);
        for (std::size_t c = 0; c < d; ++c) q[c] *= smoothing[c];
    }

    // Logits (rows, tokens) in double; queries are rounded for products with codes.
    std::vector<double> logits() const {
        const KvHead& head = shape.head;
        const auto d = static_cast<std::size_t>(head.query_dim());
        const std::vector<float> ones(static_cast<std::size_t>(head.value.head_dim), 1.0f);
        std::vector<double> out;
        for (std::size_t r = 0; r < kRows; ++r) {
            const std::span<const float> row(open.q.data() + r * d, d);
            std::vector<float> rounded(row.begin(), row.end());
            if (shape.key_bits < 16) round(head.key, open.smoothing, rounded.data());
            if (head.latent && shape.value_bits < 16)
                round(head.value, ones, rounded.data() + head.key.head_dim);
            for (std::size_t p = 0; p < kPages; ++p) {
                const double of_mean = dot(row.data(), means.data() + p * d, d);
                for (std::size_t t = 0; t < kPageTokens; ++t)
                    out.push_back(of_mean + dot(rounded.data(), keys.data() + (p * kPageTokens + t) * d, d));
            }
        }
        return out;
    }
    static double dot(const float* q, const double* k, std::size_t n) {
        double sum = 0;
        for (const float* end = q + n; q < end; ++q, ++k) sum += double{*q} * *k;
        return sum;
    }

    // The output in double, (rows, value).
    std::vector<double> expected(std::span<const double> logits, int window) const {
        const auto dv = static_cast<std::size_t>(shape.head.value.head_dim);
        std::vector<double> out(kRows * dv);
        for (std::size_t r = 0; r < kRows; ++r) {
            double* const row = out.data() + r * dv;
            double total = 0;
            for (std::size_t t = 0; t < kPages * kPageTokens; ++t) {
                const int position = kPageTokens + static_cast<int>(t), query = open.positions[r];
                if (position > query || (window > 0 && query - position >= window)) continue;
                const double weight = std::exp(logits[r * kPages * kPageTokens + t]);
                total += weight;
                const double* const value = values.data() + t * dv;
                for (std::size_t c = 0; c < dv; ++c) row[c] += weight * value[c];
            }
            for (std::size_t c = 0; c < dv; ++c) row[c] /= total;
        }
        return out;
    }

    // With a window and without.
    void check(CpuIsa isa) const {
        // The error of one weight is uniform with a deviation of 0.29 steps; a step is the page's largest
        // weight / levels, at most the sum / levels. 64 of them times values of size 1 give 2.3 / levels. The
        // bound is five deviations.
        const double levels = shape.wide_weights() ? 16383 : 255;
        const double bound = shape.value_bits == 16 ? 2e-5 : 5 * 2.3 / levels;
        const std::vector<double> exact_logits = logits();
        for (const int window : {0, 70}) {
            const auto exact = expected(exact_logits, window);
            const auto out = attend(kernels(isa), window);
            double worst = 0;
            for (std::size_t i = 0; i < out.size(); ++i) worst = std::max(worst, std::abs(out[i] - exact[i]));
            EXPECT_LE(worst, bound) << "head_dim " << shape.head.query_dim() << " k" << shape.key_bits << "v"
                                    << shape.value_bits << " window " << window;
        }
    }
};

// Every pair of widths of one head's pages.
void check_widths(const KvHead& head, codec::test::PageKind kind, CpuIsa isa) {
    const OpenPages open(head, kind);
    for (const int key_bits : kv_widths()) {
        for (const int value_bits : kv_widths()) Problem(open, key_bits, value_bits).check(isa);
    }
}

class AttentionOfHeads : public ::testing::TestWithParam<test::SetAndHead> {};

TEST_P(AttentionOfHeads, AgreesWithDoublePrecision) {
    const auto [isa, head_dim] = GetParam();
    for (const auto kind : {codec::test::PageKind::kNormal, codec::test::PageKind::kOutliers})
        check_widths(head_shape(head_dim), kind, isa);
}

INSTANTIATE_TEST_SUITE_P(Isas, AttentionOfHeads, test::sets_and_heads({16, 64, 80, 96, 128, 176, 256}),
                         test::set_and_head);

class AttentionKernels : public ::testing::TestWithParam<CpuIsa> {};

// A head that is padded gives what one gives whose further channels are 0, bit for bit.
TEST_P(AttentionKernels, PaddedHeadsAreHeadsWithZeros) {
    std::vector<KvHead> heads{KvHead::of_latent(8, 40), KvHead::of_latent(24, 100)};
    for (const int dim : codec::test::kPaddedHeads) heads.push_back(head_shape(dim));
    for (const KvHead& head : heads) {
        const OpenPages open(head, codec::test::PageKind::kOutliers), wide = open.widened();
        const auto dim = static_cast<std::size_t>(head.value.head_dim);
        for (const auto& [key_bits, value_bits] : {std::pair{16, 16}, {8, 4}, {5, 3}, {2, 6}}) {
            const auto narrow_out = Problem(open, key_bits, value_bits).attend(kernels(GetParam()), 70),
                       wide_out = Problem(wide, key_bits, value_bits).attend(kernels(GetParam()), 70);
            std::size_t differing = 0;
            for (std::size_t r = 0; r < kRows; ++r) {
                const float* const row = wide_out.data() + r * wide_out.size() / kRows;
                differing += !std::equal(row, row + dim, narrow_out.data() + r * dim);
            }
            EXPECT_EQ(differing, 0u) << head.query_dim() << " k" << key_bits << "v" << value_bits;
        }
    }
}

// The latent is key and value at once. (Values of size 1, as the bound wants: latents are normalised.)
TEST_P(AttentionKernels, LatentsAgreeWithDoublePrecision) {
    for (const auto& [rotary, rank] : {std::pair{64, 512}, {32, 96}, {16, 80}})
        check_widths(KvHead::of_latent(rotary, rank), codec::test::PageKind::kNormal, GetParam());
    const OpenPages narrow(KvHead::of_latent(8, 40), codec::test::PageKind::kNormal);
    Problem(narrow, 16, 16).check(GetParam());
}

TEST_P(AttentionKernels, FusedSetsAgreeBitForBit) {
    if (GetParam() == CpuIsa::kPortable) GTEST_SKIP() << "portable kernels have no fused multiply-add";
    const Kernels &ours = kernels(GetParam()), &others = kernels(available_isas()[1]);
    for (const KvHead& head : {KvHead(head_shape(128)), KvHead::of_latent(64, 512)}) {
        const OpenPages open(head, codec::test::PageKind::kNormal);
        for (const int key_bits : kv_widths()) {
            for (const int value_bits : kv_widths()) {
                const Problem problem(open, key_bits, value_bits);
                EXPECT_EQ(problem.attend(ours, 0), problem.attend(others, 0));
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Isas, AttentionKernels, ::testing::ValuesIn(available_isas()),
                         [](const auto& param_info) { return std::string(isa_name(param_info.param)); });

}  // namespace
}  // namespace kvsplit::cpu
