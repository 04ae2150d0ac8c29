#include "kvsplit/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "kvsplit/error.h"

namespace kvsplit {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

SamplingOptions plain(float temperature, std::uint64_t seed = 1) {
    return {.temperature = temperature,
            .top_k = 0,
            .top_p = 1,
            .min_p = 0,
            .repeat_penalty = 1,
            .repeat_last = 64,
            .seed = seed};
}

std::set<Token> drawn(const SamplingOptions& options, const std::vector<float>& logits, int n = 4000) {
    Sampler sampler(options);
    std::set<Token> out;
    for (int i = 0; i < n; ++i) out.insert(sampler.sample(logits));
    return out;
}

// Logits whose softmax is these probabilities.
std::vector<float> logits_of(std::initializer_list<double> probabilities) {
    std::vector<float> out;
    for (const double p : probabilities) out.push_back(static_cast<float>(std::log(p)));
    return out;
}

TEST(Sampler, TemperatureZeroTakesTheBestAndTheLowerIdOfEquals) {
    Sampler sampler({});
    EXPECT_EQ(sampler.sample(std::vector<float>{1, 3, 2, 3}), 1);
    EXPECT_EQ(sampler.sample(std::vector<float>{-5}), 0);
}

TEST(Sampler, DrawsFollowTheDistribution) {
    const std::vector<double> p{0.5, 0.3, 0.15, 0.05};
    const auto logits = logits_of({0.5, 0.3, 0.15, 0.05});
    Sampler sampler(plain(1.0f));
    constexpr int kDraws = 40000;
    std::vector<int> counts(4);
    for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::size_t>(sampler.sample(logits))];
    double chi2 = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        const double expected = p[i] * kDraws;
        chi2 += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    EXPECT_LT(chi2, 16.27);  // 3 degrees of freedom, 0.1 %; the seed is fixed
}

TEST(Sampler, TemperatureSharpensAndFlattens) {
    const auto logits = logits_of({0.8, 0.2});
    for (const float temperature : {0.5f, 2.0f}) {
        Sampler sampler(plain(temperature));
        constexpr int kDraws = 20000;
        int first = 0;
        for (int i = 0; i < kDraws; ++i) first += sampler.sample(logits) == 0;
        const double a = std::pow(0.8, 1 / temperature), b = std::pow(0.2, 1 / temperature);
        EXPECT_NEAR(double(first) / kDraws, a / (a + b), 0.012);
    }
}

TEST(Sampler, TopKKeepsTheKBest) {
    auto options = plain(5.0f);
    options.top_k = 2;
    EXPECT_EQ(drawn(options, {0, 1, 0.5f, 0.9f, 0.2f}), (std::set<Token>{1, 3}));
    options.top_k = 100;
    EXPECT_EQ(drawn(options, {0, 1, 0.5f}).size(), 3u);
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesIt) {
    auto options = plain(1.0f);
    options.top_p = 0.75f;  // 0.5 + 0.3 reach it
    EXPECT_EQ(drawn(options, logits_of({0.15, 0.5, 0.05, 0.3})), (std::set<Token>{1, 3}));
    options.top_p = 0.0001f;
    EXPECT_EQ(drawn(options, logits_of({0.15, 0.5, 0.05, 0.3})), (std::set<Token>{1}));
}

TEST(Sampler, MinPIsRelativeToTheBest) {
    auto options = plain(1.0f);
    options.min_p = 0.25f;
    EXPECT_EQ(drawn(options, logits_of({0.6, 0.2, 0.1, 0.1})), (std::set<Token>{0, 1}));
}

// Both cuts look at the distribution before temperature.
TEST(Sampler, TemperatureComesAfterTheCuts) {
    auto options = plain(50.0f);
    options.min_p = 0.25f;
    EXPECT_EQ(drawn(options, logits_of({0.6, 0.2, 0.1, 0.1})), (std::set<Token>{0, 1}));
}

TEST(Sampler, RepeatPenaltyDividesPositiveAndMultipliesNegativeLogits) {
    SamplingOptions options;
    options.repeat_penalty = 2.0f;
    options.repeat_last = 2;
    Sampler sampler(options);
    const std::vector<float> positive{3, 2, 1}, negative{-1.0f, -1.5f, -5};
    EXPECT_EQ(sampler.sample(positive), 0);
    sampler.accept(0);
    sampler.accept(0);  // counted once
    EXPECT_EQ(sampler.sample(positive), 1);
    EXPECT_EQ(sampler.sample(negative), 1);
    sampler.accept(2);
    sampler.accept(2);  // token 0 is forgotten
    EXPECT_EQ(sampler.sample(positive), 0);
    sampler.accept(-1);  // no such token: no effect
    sampler.accept(1000);
    EXPECT_EQ(sampler.sample(positive), 0);
}

TEST(Sampler, ImpossibleAndInfiniteLogits) {
    Sampler greedy({});
    EXPECT_EQ(greedy.sample(std::vector<float>{kNan, -kInf, 1, kNan}), 2);
    EXPECT_EQ(greedy.sample(std::vector<float>{0, kInf, 1}), 1);
    EXPECT_EQ(drawn(plain(1.0f), {kNan, -kInf, 1, 1}), (std::set<Token>{2, 3}));
    EXPECT_EQ(drawn(plain(1.0f), {0, kInf, kInf}), (std::set<Token>{1, 2}));
    EXPECT_THROW(greedy.sample(std::vector<float>{kNan, kNan}), Error);
    EXPECT_THROW(greedy.sample(std::vector<float>{}), Error);
}

// The figures are splitmix64's for seed 42 turned into draws by hand (Python): no library takes part.
TEST(Sampler, SameSeedSameTokensOnEveryMachine) {
    std::vector<float> logits(100);
    for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i % 17) * 0.1f;
    std::vector<Token> tokens;
    Sampler sampler(plain(1.0f, 42));
    for (int i = 0; i < 8; ++i) tokens.push_back(sampler.sample(logits));
    EXPECT_EQ(tokens, (std::vector<Token>{76, 16, 30, 33, 6, 85, 24, 81}));
}

TEST(Sampler, LargeVocabularyAgreesWithAFullSort) {
    std::vector<float> logits(262144);
    std::uint32_t x = 1;
    for (float& l : logits) {
        x = x * 1664525u + 1013904223u;
        l = static_cast<float>(x >> 8) * 1e-6f;
    }
    std::vector<Token> order(logits.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Token>(i);
    std::sort(order.begin(), order.end(), [&](Token a, Token b) {
        const float la = logits[static_cast<std::size_t>(a)], lb = logits[static_cast<std::size_t>(b)];
        return la > lb || (la == lb && a < b);
    });
    auto options = plain(100.0f);
    options.top_k = 5;
    EXPECT_EQ(drawn(options, logits, 300), std::set<Token>(order.begin(), order.begin() + 5));
}

TEST(Sampler, RefusesOptionsWithoutMeaning) {
    const auto refuses = [](auto change) {
        SamplingOptions options;
        change(options);
        EXPECT_THROW(Sampler{options}, Error);
    };
    refuses([](auto& o) { o.temperature = -1; });
    refuses([](auto& o) { o.temperature = kNan; });
    refuses([](auto& o) { o.top_k = -1; });
    refuses([](auto& o) { o.top_p = 0; });
    refuses([](auto& o) { o.top_p = 1.5f; });
    refuses([](auto& o) { o.min_p = -0.1f; });
    refuses([](auto& o) { o.repeat_penalty = 0; });
    refuses([](auto& o) { o.repeat_last = -1; });
}

}  // namespace
}  // namespace kvsplit
