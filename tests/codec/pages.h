// Pages of made-up keys and values for tests and benchmarks.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "base/half.h"
#include "codec/codec.h"

namespace kvsplit::codec::test {

inline constexpr int kSinks = 4;
inline constexpr int kCodedWidths[] = {8, 6, 5, 4, 3, 2};

enum class PageKind {
    kNormal,
    kOutliers,
    kBiases,
    kSink,
    kConstant,
    kZeros,
    kTiny,
    kHuge,
    kNotFinite,
    kNoise
};
inline constexpr PageKind kPageKinds[] = {
    PageKind::kNormal, PageKind::kOutliers, PageKind::kBiases, PageKind::kSink,      PageKind::kConstant,
    PageKind::kZeros,  PageKind::kTiny,     PageKind::kHuge,   PageKind::kNotFinite, PageKind::kNoise};

// f16 [64 tokens][head_dim]
inline std::vector<std::uint16_t> make_tokens(PageKind kind, int head_dim, unsigned seed) {
    std::mt19937 rng(seed);
    std::normal_distribution<float> normal;
    std::vector<float> bias(static_cast<std::size_t>(head_dim));
    for (float& b : bias) b = 150.0f * normal(rng);
    std::vector<std::uint16_t> tokens;
    for (int t = 0; t < kPageTokens; ++t) {
        for (int c = 0; c < head_dim; ++c) {
            float x = normal(rng);
            if (kind == PageKind::kOutliers && c % 29 == 5) x *= 30;
            if (kind == PageKind::kBiases) x += bias[static_cast<std::size_t>(c)];
            if (kind == PageKind::kSink && t < kSinks) x *= 200;
            if (kind == PageKind::kConstant) x = bias[static_cast<std::size_t>(c)];
            if (kind == PageKind::kZeros) x = 0;
            if (kind == PageKind::kTiny) x *= 2e-7f;
            if (kind == PageKind::kHuge) x = x > 0 ? 65504.0f : -65504.0f;
            std::uint16_t half = f32_to_f16(x);
            if (kind == PageKind::kNotFinite && rng() % 50 == 0)
                half = static_cast<std::uint16_t>(0x7c00u | (rng() & 0x83ffu));
            if (kind == PageKind::kNoise) half = static_cast<std::uint16_t>(rng());  // any bits at all
            tokens.push_back(half);
        }
    }
    return tokens;
}

// The open pages that hold these tokens: keys [head_dim][64], values [64][padded_dim].
inline std::vector<std::uint16_t> open_keys(const std::vector<std::uint16_t>& tokens, int head_dim) {
    std::vector<std::uint16_t> page(tokens.size());
    for (int t = 0; t < kPageTokens; ++t) {
        for (int c = 0; c < head_dim; ++c) {
            page[static_cast<std::size_t>(c * kPageTokens + t)] =
                tokens[static_cast<std::size_t>(t * head_dim + c)];
        }
    }
    return page;
}
inline std::vector<std::uint16_t> open_values(const std::vector<std::uint16_t>& tokens,
                                              const HeadShape& shape) {
    std::vector<std::uint16_t> page(static_cast<std::size_t>(kPageTokens * shape.padded_dim));
    for (int t = 0; t < kPageTokens; ++t) {
        for (int c = 0; c < shape.head_dim; ++c) {
            page[static_cast<std::size_t>(t * shape.padded_dim + c)] =
                tokens[static_cast<std::size_t>(t * shape.head_dim + c)];
        }
    }
    return page;
}

// Head sizes that are no multiples of 16.
inline constexpr int kPaddedHeads[] = {1,  7,  8,  15,  17,  24,  31,  40,  56, 60,
                                       72, 88, 99, 100, 104, 120, 127, 129, 200};

// Positive factors around 1, for padding channels, too.
inline std::vector<float> make_smoothing(int head_dim, unsigned seed) {
    std::mt19937 rng(seed);
    std::vector<float> s;
    for (int c = 0; c < head_shape(head_dim).padded_dim; ++c)
        s.push_back(0.5f + static_cast<float>(rng() % 1000) / 700.0f);
    return s;
}

}  // namespace kvsplit::codec::test
