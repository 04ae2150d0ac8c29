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

// Three sealed pages (numbers 1 to 3) of one layer and some queries.
struct Problem {
    AttentionShape shape;
    PageLayout layout;
    std::vector<std::vector<std::uint8_t>> pages;
    std::vector<float> smoothing, q;
    std::vector<std::int32_t> positions;
    // What queries meet, (tokens, query_dim), and what is added up, (tokens, value), as decoded; means of the
    // former: (pages, query_dim).
    std::vector<double> keys, values, means;
    int window;

    Problem(const KvHead& head, int key_bits, int value_bits, int window_tokens, testing::PageKind kind)
        : layout(page_layout({key_bits, value_bits}, head, kHeads, 0)), window(window_tokens) {
        shape = {head, layout.key_bits, layout.value_bits};
        const int dim = head.query_dim();
        smoothing = testing::make_smoothing(head.key.head_dim, 5);
        std::mt19937 rng(static_cast<unsigned>(dim));
        std::normal_distribution<float> normal(0.0f, 1.0f / std::sqrt(static_cast<float>(dim)));
        for (int i = 0; i < kRows * dim; ++i) q.push_back(normal(rng));
        // Some rows see all pages, some end inside the last one.
        for (int r = 0; r < kRows; ++r) positions.push_back((1 + kPages) * kPageTokens - 1 - 9 * r);
        for (int p = 0; p < kPages; ++p) add_page(kind, static_cast<unsigned>(p));
    }

    void add_page(testing::PageKind kind, unsigned number) {
        const KvHead& head = shape.head;
        const auto k = testing::make_tokens(kind, head.key.head_dim, 2 * number + 1);
        const auto v = testing::make_tokens(head.latent ? kind : testing::PageKind::kNormal,
                                            head.value.head_dim, 2 * number + 2);
        std::vector<std::uint8_t> page(layout.bytes);
        encode_key_page(layout, kHead, testing::open_keys(k, head.key.head_dim).data(), smoothing.data(),
                        page.data());
        encode_value_page(layout, kHead, testing::open_values(v, head.value).data(), page.data());
        std::vector<float> key(k.size()), value(v.size());
        decode_key_page(layout, kHead, page.data(), smoothing.data(), key.data());
        decode_value_page(layout, kHead, page.data(), value.data());
        for (int t = 0; t < kPageTokens; ++t) {
            const auto add = [&](std::vector<double>& to, const std::vector<float>& from, int dim) {
                to.insert(to.end(), from.begin() + t * dim, from.begin() + (t + 1) * dim);
            };
            add(keys, key, head.key.head_dim);
            if (head.latent) add(keys, value, head.value.head_dim);
            add(values, value, head.value.head_dim);
        }
        add_means(page, shape.key_bits, layout.key_mean_scales, layout.key_means, head.key.head_dim);
        if (head.latent)
            add_means(page, shape.value_bits, layout.value_mean_scales, layout.value_means,
                      head.value.head_dim);
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
    std::vector<float> attend(const Kernels& kernels) const {
        const KvHead& h = shape.head;
        struct Prepared {
            Prepared(const HeadShape& side, int bits, const float* smoothing, const Problem& p, int channel,
                     const Kernels& kernels)
                : codes(std::size_t{kRows} * static_cast<std::size_t>(side.head_dim)),
                  scales(kRows),
                  sums(std::size_t{kRows} * static_cast<std::size_t>(std::max(1, side.n_groups))) {
                std::vector<float> rotated(static_cast<std::size_t>(side.head_dim));
                for (int r = 0; r < kRows && bits < 16; ++r) {
                    scales[static_cast<std::size_t>(r)] = kernels.prepare_query(
                        side, p.q.data() + r * p.shape.head.query_dim() + channel, smoothing, rotated.data(),
                        codes.data() + r * side.head_dim, sums.data() + r * side.n_groups);
                }
            }
            QueryCodes get() const { return {codes.data(), scales.data(), sums.data()}; }
            std::vector<std::int8_t> codes;
            std::vector<float> scales;
            std::vector<std::int32_t> sums;
        };
        const Prepared key(h.key, shape.key_bits, smoothing.data(), *this, 0, kernels),
            latent(h.value, h.latent ? shape.value_bits : 16, nullptr, *this, h.key.head_dim, kernels);
        std::vector<const std::byte*> pointers;
        for (const auto& page : pages) pointers.push_back(reinterpret_cast<const std::byte*>(page.data()));
        const PageRun run{pointers.data(), kPages,           1, &layout,    kHead, 1,
                          shape.key_bits,  shape.value_bits, 0, kPageTokens};
        const QueryTile tile{kRows, q.data(), key.get(), latent.get(), positions.data(), window};
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

    // The same in double; the query rounded where it meets codes.
    std::vector<double> expected() const {
        const KvHead& head = shape.head;
        const auto d = static_cast<std::size_t>(head.query_dim()),
                   dv = static_cast<std::size_t>(head.value.head_dim);
        const std::vector<float> ones(dv, 1.0f);
        std::vector<double> out(kRows * dv);
        for (std::size_t r = 0; r < kRows; ++r) {
            const float* row = q.data() + r * d;
            std::vector<float> rounded(row, row + d);
            if (shape.key_bits < 16) round(head.key, smoothing, rounded.data());
            if (head.latent && shape.value_bits < 16)
                round(head.value, ones, rounded.data() + head.key.head_dim);
            double total = 0;
            for (int t = 0; t < kPages * kPageTokens; ++t) {
                const int position = kPageTokens + t;
                if (position > positions[r] || (window > 0 && positions[r] - position >= window)) continue;
                const auto at = static_cast<std::size_t>(t) * d,
                           page = static_cast<std::size_t>(t / kPageTokens) * d;
                double logit = 0;
                for (std::size_t c = 0; c < d; ++c) {
                    logit += double{row[c]} * means[page + c] +
                             double{rounded[c]} * (keys[at + c] - means[page + c]);
                }
                const double weight = std::exp(logit);
                total += weight;
                for (std::size_t c = 0; c < dv; ++c)
                    out[r * dv + c] += weight * values[static_cast<std::size_t>(t) * dv + c];
            }
            for (std::size_t c = 0; c < dv; ++c) out[r * dv + c] /= total;
        }
        return out;
    }

    void check(CpuIsa isa) const {
        const auto exact = expected();
        const auto out = attend(kernels(isa));
        // The error of one weight is uniform with deviation 0.29 steps, a step being the page's largest
        // weight / levels, at most the sum / levels; 64 of them meet values of size 1: 2.3 / levels. Five
        // deviations.
        const double levels = shape.wide_weights() ? 16383 : 255;
        const double bound = shape.value_bits == 16 ? 2e-5 : 5 * 2.3 / levels;
        double worst = 0;
        for (std::size_t i = 0; i < out.size(); ++i) worst = std::max(worst, std::abs(out[i] - exact[i]));
        EXPECT_LE(worst, bound) << "head_dim " << shape.head.query_dim() << " k" << shape.key_bits << "v"
                                << shape.value_bits << " window " << window;
    }
};

class AttentionOfHeads : public ::testing::TestWithParam<test::SetAndHead> {};

TEST_P(AttentionOfHeads, AgreesWithDoublePrecision) {
    const auto [isa, head_dim] = GetParam();
    for (const int key_bits : kv_widths()) {
        for (const int value_bits : kv_widths()) {
            for (const int window : {0, 70}) {
                for (const auto kind : {testing::PageKind::kNormal, testing::PageKind::kOutliers})
                    Problem(head_shape(head_dim), key_bits, value_bits, window, kind).check(isa);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Isas, AttentionOfHeads, test::sets_and_heads({16, 64, 80, 96, 128, 256}),
                         test::set_and_head);

class AttentionKernels : public ::testing::TestWithParam<CpuIsa> {};

// The latent is key and value at once. (Values of size 1, as the bound wants: latents are normalised.)
TEST_P(AttentionKernels, LatentsAgreeWithDoublePrecision) {
    for (const auto& [rotary, rank] : {std::pair{64, 512}, {32, 96}, {16, 80}}) {
        for (const int key_bits : kv_widths()) {
            for (const int value_bits : kv_widths()) {
                for (const int window : {0, 70})
                    Problem(KvHead::of_latent(rotary, rank), key_bits, value_bits, window,
                            testing::PageKind::kNormal)
                        .check(GetParam());
            }
        }
    }
    Problem(KvHead::of_latent(8, 40), 16, 16, 0, testing::PageKind::kNormal).check(GetParam());
}

TEST_P(AttentionKernels, FusedSetsAgreeBitForBit) {
    if (GetParam() == CpuIsa::kPortable) GTEST_SKIP() << "portable kernels have no fused multiply-add";
    for (const int key_bits : kv_widths()) {
        for (const int value_bits : kv_widths()) {
            for (const KvHead& head : {KvHead(head_shape(128)), KvHead::of_latent(64, 512)}) {
                const Problem problem(head, key_bits, value_bits, 0, testing::PageKind::kNormal);
                EXPECT_EQ(problem.attend(kernels(GetParam())), problem.attend(kernels(available_isas()[1])));
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Isas, AttentionKernels, ::testing::ValuesIn(available_isas()),
                         [](const auto& param_info) { return std::string(isa_name(param_info.param)); });

}  // namespace
}  // namespace kvsplit::cpu
