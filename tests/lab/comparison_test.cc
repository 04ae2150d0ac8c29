// Which figures count as noise. The statistics themselves are tested against numpy in measurement_test.cc.
#include "lab/comparison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace kvsplit::lab {
namespace {

// Tokens whose probabilities change at random by `noise`, and in one direction by `loss`.
Comparison tokens(int n, double noise, double loss, unsigned seed) {
    std::mt19937 rng(seed);
    std::normal_distribution<double> normal;
    Comparison out;
    for (int i = 0; i < n; ++i) {
        const double x = normal(rng), y = normal(rng);
        TokenDifference d;
        d.kld = noise * noise * x * x;
        d.nll_change = loss + noise * y;
        d.p_change = 0.1 * noise * y;
        d.same_top = std::abs(x) * noise < 0.2;
        out.add(d);
    }
    return out;
}

int count(const BelowFloor& b) {
    return b.ppl_change + b.kld_mean + b.kld_median + b.kld_p99 + b.kld_p999 + b.top1_agreement + b.rms_dp;
}

TEST(BelowFloor, AnotherDrawOfTheSameNoiseIsMostlyBelow) {
    const Comparison floor = tokens(5000, 0.1, 0, 1);
    int below = 0, figures = 0;
    for (unsigned seed = 2; seed < 102; ++seed, figures += 7) {
        below += count(tokens(5000, 0.1, 0, seed).below(floor));
    }
    // Two standard errors, mostly to one side.
    EXPECT_GE(below, figures * 92 / 100);
}

TEST(BelowFloor, ItselfIsBelow) {
    const Comparison floor = tokens(1000, 0.1, 0, 1);
    EXPECT_EQ(count(floor.below(floor)), 7);
}

TEST(BelowFloor, LargerNoiseIsAbove) {
    const BelowFloor b = tokens(5000, 0.14, 0, 2).below(tokens(5000, 0.1, 0, 1));
    EXPECT_TRUE(b.ppl_change);  // noise has no direction
    EXPECT_EQ(count(b), 1);
}

TEST(BelowFloor, SmallerNoiseIsBelow) {
    EXPECT_EQ(count(tokens(5000, 0.05, 0, 2).below(tokens(5000, 0.1, 0, 1))), 7);
}

TEST(BelowFloor, ALossInOneDirectionShowsInThePerplexityAlone) {
    const BelowFloor b = tokens(5000, 0.1, 0.01, 2).below(tokens(5000, 0.1, 0, 1));
    EXPECT_FALSE(b.ppl_change);
    EXPECT_EQ(count(b), 6);
}

TEST(BelowFloor, FewTokensSayLittle) {
    const BelowFloor b = tokens(10, 0.12, 0, 2).below(tokens(10, 0.1, 0, 1));
    EXPECT_TRUE(b.kld_mean);
    EXPECT_TRUE(b.kld_median);
}

TEST(Comparison, WithoutTokensThereIsNoDivergence) { EXPECT_FALSE(Comparison{}.divergence().has_value()); }

}  // namespace
}  // namespace kvsplit::lab
