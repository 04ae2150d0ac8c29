#include "lab/row_scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace kvsplit::lab {
namespace {

std::vector<float> random_row(std::size_t n, unsigned seed, float scale) {
    std::mt19937 generator(seed);
    std::vector<float> row(n);
    for (float& x : row) x = scale * (static_cast<float>(generator() >> 8) * 0x1p-23f - 1.0f);
    return row;
}

long double exact_log_sum(const std::vector<float>& row) {
    long double best = row[0], sum = 0;
    for (const float x : row) best = std::max<long double>(best, x);
    for (const float x : row) sum += std::exp(x - best);
    return best + std::log(sum);
}

TEST(RowScores, AgreeWithLongDoubleForEveryLength) {
    for (const std::size_t n : {1, 2, 15, 16, 17, 1023, 1024, 1025, 49152, 100003}) {
        const auto row = random_row(n, static_cast<unsigned>(n), 12.0f);
        const Token target = static_cast<Token>(n / 2);
        const RowScore score = score_row(row, target);
        const long double log_sum = exact_log_sum(row);
        EXPECT_NEAR(score.log_sum_exp, static_cast<double>(log_sum), 2e-7) << n;
        EXPECT_NEAR(score.nll, static_cast<double>(log_sum - row[n / 2]), 2e-7) << n;
    }
}

TEST(RowScores, TopIsTheLowestOfEquals) {
    std::vector<float> row(50, -3.0f);
    row[20] = row[41] = 7.0f;
    EXPECT_EQ(score_row(row, 0).top, 20);
}

TEST(RowScores, VeryUnlikelyTargetsKeepTheirDistance) {
    const std::vector<float> row{0.0f, -500.0f, -30.0f};
    EXPECT_NEAR(score_row(row, 1).nll, 500.0, 1e-4);
    EXPECT_NEAR(score_row(row, 0).nll, std::log1p(std::exp(-30.0)), 1e-7);
}

TEST(RowScores, NanIsNotHidden) {
    std::vector<float> row(40, 1.0f);
    row[7] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(score_row(row, 3).nll));
}

TEST(Divergence, AgreesWithLongDoubleDownToTinyOnes) {
    constexpr std::size_t n = 30011;
    const auto reference = random_row(n, 1, 10.0f);
    const auto noise = random_row(n, 2, 1.0f);
    for (const float scale : {1.0f, 0.1f, 1e-2f, 1e-3f}) {
        auto other = reference;
        // The common shift must make no difference.
        for (std::size_t i = 0; i < n; ++i) other[i] += scale * noise[i] + 0.25f;
        const long double p_sum = exact_log_sum(reference), q_sum = exact_log_sum(other);
        long double expected = 0;
        for (std::size_t i = 0; i < n; ++i) {
            const long double p = reference[i] - p_sum, q = other[i] - q_sum;
            expected += std::exp(p) * (p - q);
        }
        const double found = divergence(reference, score_row(reference, 0), other, score_row(other, 0));
        EXPECT_NEAR(found, static_cast<double>(expected), 1e-8 + 1e-5 * static_cast<double>(expected))
            << scale;
    }
}

TEST(Divergence, OfARowFromItselfIsZero) {
    const auto row = random_row(777, 3, 9.0f);
    const RowScore score = score_row(row, 0);
    EXPECT_EQ(divergence(row, score, row, score), 0.0);
}

}  // namespace
}  // namespace kvsplit::lab
