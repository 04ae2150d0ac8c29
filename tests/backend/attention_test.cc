// Attention kernels against double precision over the pages' decoded contents, and against each other.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "backend/cpu/kernels.h"
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
    std::vector<double> keys, values;  // (tokens, dim) as decoded; means: (pages, dim)
    std::vector<double> means;
    int window;

    Problem(int dim, int key_bits, int value_bits, int window_tokens, testing::PageKind kind)
        : shape{head_shape(dim), key_bits, value_bits},
          layout(page_layout({key_bits, value_bits}, shape.head, kHeads, 0)),
          window(window_tokens) {
        const auto d = static_cast<std::size_t>(dim);
        smoothing = testing::make_smoothing(dim, 5);
        std::mt19937 rng(static_cast<unsigned>(dim));
        std::normal_distribution<float> normal(0.0f, 1.0f / std::sqrt(static_cast<float>(dim)));
        for (int i = 0; i < kRows * dim; ++i) q.push_back(normal(rng));
        // Some rows see all pages, some end inside the last one.
        for (int r = 0; r < kRows; ++r) positions.push_back((1 + kPages) * kPageTokens - 1 - 9 * r);
        std::vector<float> decoded(kPageTokens * d);
        for (int p = 0; p < kPages; ++p) {
            const auto k = testing::make_tokens(kind, dim, static_cast<unsigned>(2 * p + 1));
            const auto v =
                testing::make_tokens(testing::PageKind::kNormal, dim, static_cast<unsigned>(2 * p + 2));
            std::vector<std::uint8_t> page(layout.bytes);
            encode_key_page(layout, kHead, testing::open_keys(k, dim).data(), smoothing.data(), page.data());
            encode_value_page(layout, kHead, testing::open_values(v, shape.head).data(), page.data());
            decode_key_page(layout, kHead, page.data(), smoothing.data(), decoded.data());
            keys.insert(keys.end(), decoded.begin(), decoded.end());
            decode_value_page(layout, kHead, page.data(), decoded.data());
            values.insert(values.end(), decoded.begin(), decoded.end());
            for (std::size_t c = 0; c < d; ++c) means.push_back(mean(page, c));
            pages.push_back(std::move(page));
        }
    }

    double mean(const std::vector<std::uint8_t>& page, std::size_t channel) const {
        if (shape.key_bits == 16) return 0;
        std::uint16_t scale;
        std::memcpy(&scale, page.data() + layout.key_mean_scales.at(kHead), 2);
        const auto code = static_cast<std::int8_t>(page[layout.key_means.at(kHead) + channel]);
        return double{f16_to_f32(scale)} * code;
    }

    // The kernels' output rows (kRows, dim).
    std::vector<float> attend(const Kernels& kernels) const {
        const HeadShape& h = shape.head;
        const auto rows = std::size_t{kRows}, d = static_cast<std::size_t>(h.head_dim),
                   padded = static_cast<std::size_t>(h.padded_dim),
                   groups = static_cast<std::size_t>(std::max(1, h.n_groups));
        std::vector<std::int8_t> codes(rows * d);
        std::vector<float> scales(rows), rotated(d);
        std::vector<std::int32_t> sums(rows * groups);
        for (std::size_t r = 0; r < rows && shape.key_bits < 16; ++r) {
            scales[r] = kernels.prepare_query(h, q.data() + r * d, smoothing.data(), rotated.data(),
                                              codes.data() + r * d, sums.data() + r * groups);
        }
        std::vector<const std::byte*> pointers;
        for (const auto& page : pages) pointers.push_back(reinterpret_cast<const std::byte*>(page.data()));
        const PageRun run{pointers.data(), kPages,           1, &layout,    kHead, 1,
                          shape.key_bits,  shape.value_bits, 0, kPageTokens};
        const QueryTile tile{kRows,       q.data(),         codes.data(), scales.data(),
                             sums.data(), positions.data(), window};
        std::vector<float> max(rows, -std::numeric_limits<float>::infinity()), sum(rows * 16),
            acc(rows * padded);
        SoftmaxState state{max.data(), sum.data(), acc.data()}, none{nullptr, nullptr, nullptr};
        kernels.attend(shape, run, &tile, &state);
        std::vector<float> out(rows * d);
        const bool rotated_values = shape.value_bits < 16;
        kernels.finish_rows(h, rotated_values ? state : none, rotated_values ? none : state, kRows, 1,
                            out.data(), h.head_dim);
        return out;
    }

    // The same in double; the query rounded to int8 by the scalar definition where it meets codes.
    std::vector<double> expected() const {
        const auto d = static_cast<std::size_t>(shape.head.head_dim);
        std::vector<double> out(kRows * d);
        std::vector<std::int8_t> codes(d);
        std::vector<float> rounded(d);
        for (std::size_t r = 0; r < kRows; ++r) {
            const float* row = q.data() + r * d;
            std::copy(row, row + d, rounded.begin());
            if (shape.key_bits < 16) {
                const float scale = prepare_query(shape.head, row, smoothing.data(), codes.data());
                for (std::size_t c = 0; c < d; ++c) rounded[c] = scale * static_cast<float>(codes[c]);
                hadamard(shape.head, rounded.data());
                for (std::size_t c = 0; c < d; ++c) rounded[c] *= smoothing[c];
            }
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
                for (std::size_t c = 0; c < d; ++c) out[r * d + c] += weight * values[at + c];
            }
            for (std::size_t c = 0; c < d; ++c) out[r * d + c] /= total;
        }
        return out;
    }
};

class AttentionKernels : public ::testing::TestWithParam<CpuIsa> {};

TEST_P(AttentionKernels, AgreeWithDoublePrecision) {
    for (const int dim : {16, 64, 80, 96, 128, 256}) {
        for (const int key_bits : kv_widths()) {
            for (const int value_bits : kv_widths()) {
                for (const int window : {0, 70}) {
                    for (const auto kind : {testing::PageKind::kNormal, testing::PageKind::kOutliers}) {
                        const Problem problem(dim, key_bits, value_bits, window, kind);
                        const auto expected = problem.expected();
                        const auto out = problem.attend(kernels(GetParam()));
                        // The error of one weight is uniform with deviation 0.29 steps, a step being the
                        // page's largest weight / levels, at most the sum / levels; 64 of them meet values of
                        // size 1: 2.3 / levels. Five deviations.
                        const double levels = problem.shape.wide_weights() ? 16383 : 255;
                        const double bound = value_bits == 16 ? 2e-5 : 5 * 2.3 / levels;
                        double worst = 0;
                        for (std::size_t i = 0; i < out.size(); ++i)
                            worst = std::max(worst, std::abs(out[i] - expected[i]));
                        EXPECT_LE(worst, bound) << "head_dim " << dim << " k" << key_bits << "v" << value_bits
                                                << " window " << window;
                    }
                }
            }
        }
    }
}

TEST_P(AttentionKernels, FusedSetsAgreeBitForBit) {
    if (GetParam() == CpuIsa::kPortable) GTEST_SKIP() << "portable kernels have no fused multiply-add";
    for (const int key_bits : kv_widths()) {
        for (const int value_bits : kv_widths()) {
            const Problem problem(128, key_bits, value_bits, 0, testing::PageKind::kNormal);
            EXPECT_EQ(problem.attend(kernels(GetParam())), problem.attend(kernels(available_isas()[1])));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Isas, AttentionKernels, ::testing::ValuesIn(available_isas()),
                         [](const auto& param_info) { return std::string(isa_name(param_info.param)); });

}  // namespace
}  // namespace kvsplit::cpu
