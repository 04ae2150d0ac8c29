// Intervals against published examples and values from scipy.
#include "lab/intervals.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace kvsplit::lab {
namespace {

void expect_interval(const Interval& i, double value, double low, double high, double tolerance) {
    EXPECT_NEAR(i.value, value, tolerance);
    EXPECT_NEAR(i.low, low, tolerance);
    EXPECT_NEAR(i.high, high, tolerance);
}

// Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
TEST(ShareInterval, NewcombesExamples) {
    expect_interval(share_interval(81, 263), 0.3080, 0.2553, 0.3662, 5e-5);
    expect_interval(share_interval(15, 148), 0.1014, 0.0624, 0.1605, 5e-5);
    expect_interval(share_interval(0, 20), 0, 0, 0.1611, 5e-5);
    expect_interval(share_interval(1, 29), 0.0345, 0.0061, 0.1718, 5e-5);
}

TEST(ShareInterval, IsItsOwnMirrorImage) {
    for (int k = 0; k <= 7; ++k) {
        const auto a = share_interval(k, 7), b = share_interval(7 - k, 7);
        EXPECT_NEAR(a.low, 1 - b.high, 1e-15);
    }
}

TEST(ShareChangeInterval, IsWaldsWithTwoMoreTrials) {
    // Half a flip is added on each side: centre (2.5 - 9.5) / 102, variance (12 - 49 / 102) / 102^2.
    expect_interval(share_change_interval(2, 9, 100), -0.07, -0.133845, -0.003410, 1e-6);
    const auto none = share_change_interval(0, 0, 40);
    EXPECT_EQ(none.value, 0);
    EXPECT_NEAR(none.high, 1.959964 / 42, 1e-6);
    EXPECT_NEAR(none.low, -none.high, 1e-15);
}

TEST(MeanInterval, OfIndependentValuesIsStudents) {
    const std::vector<double> values{2.1, -0.3, 0.8, 1.4, 0.2, 0.9, -1.1, 0.5, 1.7, 0.4, 0.6};
    std::vector<int> groups;
    for (int i = 0; i < 11; ++i) groups.push_back(i);
    // scipy.stats.t.interval(0.95, 10, mean, sem)
    expect_interval(mean_interval(values, groups), 0.654545, 0.049650, 1.259445, 1e-5);
    const std::vector<double> two{1, 3};
    expect_interval(mean_interval(two, std::vector<int>{4, 9}), 2, 2 - 12.706205, 2 + 12.706205, 1e-6);
}

// A group counts as one value: repeating each value within its group changes nothing.
TEST(MeanInterval, RepeatedMeasurementsAddNoCertainty) {
    const std::vector<double> once{0.3, 1.2, -0.4, 0.9, 0.5};
    std::vector<double> often;
    std::vector<int> groups, own{0, 1, 2, 3, 4};
    for (int i = 0; i < 5; ++i) {
        often.insert(often.end(), 10, once[static_cast<std::size_t>(i)]);
        groups.insert(groups.end(), 10, i);
    }
    const auto a = mean_interval(once, own), b = mean_interval(often, groups);
    expect_interval(b, a.value, a.low, a.high, 1e-12);
}

TEST(MeanInterval, OneGroupTellsNothing) {
    const auto i = mean_interval(std::vector<double>{1, 2, 3}, std::vector<int>{0, 0, 0});
    EXPECT_EQ(i.value, 2);
    EXPECT_TRUE(std::isnan(i.low));
    EXPECT_TRUE(std::isnan(i.high));
}

}  // namespace
}  // namespace kvsplit::lab
