#include "codec/smoothing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "codec/golden.h"
#include "codec/pages.h"
#include "codec/reference.h"

namespace kvsplit::codec {
namespace {

using test::GoldenCase;

TEST(Smoothing, AgreesWithOracle) {
    int n = 0;
    for (const GoldenCase& golden : test::golden_cases()) {
        if (!golden.lab_smoothing) continue;
        const std::vector<std::uint16_t> tokens = golden.tokens();
        const auto half = static_cast<std::ptrdiff_t>(tokens.size() / 2);
        const auto first = test::open_keys({tokens.begin(), tokens.begin() + half}, golden.head_dim);
        const auto second = test::open_keys({tokens.begin() + half, tokens.end()}, golden.head_dim);
        const std::uint16_t* pages[] = {first.data(), second.data()};
        const std::vector<float> expected = golden.row("smoothing");
        std::vector<float> ours(expected.size());
        compute_smoothing(head_shape(golden.head_dim), golden.row("squares"), pages, test::kSinks, ours);
        for (std::size_t c = 0; c < ours.size(); ++c)
            EXPECT_NEAR(ours[c] / expected[c], 1, 2e-5) << golden.name;
        ++n;
    }
    EXPECT_GE(n, 10);
}

TEST(Smoothing, DegenerateInputGivesUsableFactors) {
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    const HeadShape shape = head_shape(64);
    for (test::PageKind kind : test::kPageKinds) {
        const auto page = test::open_keys(test::make_tokens(kind, 64, 5), 64);
        const std::uint16_t* pages[] = {page.data(), page.data()};
        for (float q : {0.0f, 1.0f, -1.0f, inf, nan, 1e-38f, 1e38f}) {
            std::vector<float> squares(64, 1.0f), s(64);
            squares[3] = q;
            compute_smoothing(shape, squares, pages, test::kSinks, s);
            for (float x : s) EXPECT_TRUE(std::isfinite(x) && x > 0);
            compute_smoothing(shape, std::vector<float>(64, q), pages, test::kSinks, s);
            for (float x : s) EXPECT_TRUE(std::isfinite(x) && x > 0);
        }
    }
}

TEST(Query, AgreesWithOracle) {
    for (const GoldenCase& golden : test::golden_cases()) {
        if (!golden.lab_smoothing) continue;
        const HeadShape shape = head_shape(golden.head_dim);
        const std::vector<float> smoothing = golden.row("smoothing"), expected = golden.row("query_int8");
        std::vector<std::int8_t> codes(expected.size());
        const float scale = prepare_query(shape, golden.row("query").data(), smoothing.data(), codes.data());
        std::vector<float> ours(codes.begin(), codes.end());
        for (float& x : ours) x *= scale;
        hadamard(shape, ours.data());
        for (std::size_t c = 0; c < ours.size(); ++c) {
            EXPECT_NEAR(ours[c] * smoothing[c], expected[c], 2e-6 + 2e-5 * std::fabs(expected[c]))
                << golden.name;
        }
    }
}

TEST(Query, AnyInputIsSafe) {
    const HeadShape shape = head_shape(64);
    const std::vector<float> ones(64, 1.0f);
    for (float q :
         {0.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 3e38f}) {
        std::vector<float> query(64, 0.5f);
        query[7] = q;
        std::vector<std::int8_t> codes(64);
        prepare_query(shape, query.data(), ones.data(), codes.data());
        for (int code : codes) EXPECT_GE(code, -127);
    }
}

}  // namespace
}  // namespace kvsplit::codec
