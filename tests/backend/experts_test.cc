// Mixtures of experts against their definition in double precision, and against themselves under every split
// of the work.
#include "backend/cpu/experts.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <set>

#include "backend/random_weights.h"
#include "gguf/blocks.h"

namespace kvsplit::cpu {
namespace {

using gguf::TensorType;
using Gate = Routing::Gate;

std::size_t size(int n) { return static_cast<std::size_t>(n); }

// ---- Choosing

std::vector<ChosenExpert> choose(const Routing& r, const std::vector<float>& logits,
                                 const float* bias = nullptr) {
    std::vector<float> scratch(2 * size(r.n_experts));
    std::vector<ChosenExpert> chosen(size(r.n_used));
    route(r, logits.data(), bias, scratch.data(), chosen.data());
    return chosen;
}

TEST(Routing, SoftmaxOfAllOrOfTheChosen) {
    const std::vector<float> logits{1, 3, 2, -1};
    const double all = std::exp(1) + std::exp(3) + std::exp(2) + std::exp(-1);
    Routing r{.n_experts = 4, .n_used = 2};
    auto chosen = choose(r, logits);
    EXPECT_EQ(chosen[0].expert, 1);
    EXPECT_EQ(chosen[1].expert, 2);
    EXPECT_NEAR(chosen[0].weight, std::exp(3) / all, 1e-6);
    EXPECT_NEAR(chosen[1].weight, std::exp(2) / all, 1e-6);
    const double first = std::exp(3) / (std::exp(3) + std::exp(2));
    r.normalise = true;
    r.scale = 2.5f;
    EXPECT_NEAR(choose(r, logits)[0].weight, 2.5 * first, 1e-6);
    r.normalise = false;
    r.gate = Gate::kSoftmaxOfChosen;
    EXPECT_NEAR(choose(r, logits)[0].weight, 2.5 * first, 1e-6);
}

// The bias affects the choice but not the weights.
TEST(Routing, SigmoidWithABias) {
    const std::vector<float> logits{1, 3, 2, -1}, bias{0, -1, 0, 2};
    const Routing r{.gate = Gate::kSigmoid, .n_experts = 4, .n_used = 2};
    const auto chosen = choose(r, logits, bias.data());
    EXPECT_EQ(chosen[0].expert, 3);
    EXPECT_EQ(chosen[1].expert, 2);
    EXPECT_NEAR(chosen[0].weight, 1 / (1 + std::exp(1)), 1e-6);
}

TEST(Routing, OnlyExpertsOfTheBestGroups) {
    // Rated by their best two experts, the second group wins; by their best one, the third.
    const std::vector<float> logits{0, 0, 2, 1.9f, 2.1f, -3};
    Routing r{.gate = Gate::kSigmoid, .n_experts = 6, .n_used = 2, .n_groups = 3, .n_used_groups = 1};
    EXPECT_EQ(choose(r, logits)[0].expert, 2);
    EXPECT_EQ(choose(r, logits)[1].expert, 3);
    r.n_group_rating = 1;
    EXPECT_EQ(choose(r, logits)[0].expert, 4);
    EXPECT_EQ(choose(r, logits)[1].expert, 5);
    r.n_used_groups = 2;
    EXPECT_EQ(choose(r, logits)[1].expert, 2);
}

TEST(Routing, NeverTakesAnExpertTwice) {
    constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(),
                    kInf = std::numeric_limits<float>::infinity();
    for (const std::vector<float>& logits :
         {std::vector<float>(6, kNaN), std::vector<float>(6, -kInf), {kNaN, 1, kInf, -kInf, kNaN, kInf}}) {
        for (Gate gate : {Gate::kSoftmax, Gate::kSigmoid, Gate::kSoftmaxOfChosen}) {
            for (int groups : {1, 3}) {
                const Routing r{.gate = gate,
                                .n_experts = 6,
                                .n_used = 4,
                                .n_groups = groups,
                                .n_used_groups = groups == 1 ? 1 : 2};
                std::set<int> experts;
                for (const ChosenExpert& c : choose(r, logits)) experts.insert(c.expert);
                EXPECT_EQ(experts.size(), 4u);
            }
        }
    }
}

// ---- Products

constexpr int kExperts = 12, kUsed = 3, kEmbd = 64, kFf = 96;

struct TestMixture {
    std::vector<float> up_values, down_values, up_bias, down_bias;
    PackedMatrix up, down;
    Mixture mixture;

    TestMixture(TensorType type, Activations activations, bool biases, bool gated = true) {
        std::mt19937 rng(1);
        ThreadPool pool(2);
        // An expert's gate and up are two sources, as two tensors of a file are.
        up = pack(pool, type, gated ? 2 : 1, kFf, kEmbd, activations, up_values, rng);
        down = pack(pool, type, 1, kEmbd, kFf, activations, down_values, rng);
        up_bias = test::random_rows(kExperts, 2 * kFf, rng);
        down_bias = test::random_rows(kExperts, kEmbd, rng);
        mixture = {.routing = {.n_experts = kExperts, .n_used = kUsed, .normalise = true},
                   .activation = gated ? Activation::kSilu : Activation::kReluSquared,
                   .gated = gated,
                   .selection_bias = nullptr,
                   .up = nullptr,
                   .down = nullptr,
                   .up_bias = biases ? up_bias.data() : nullptr,
                   .down_bias = biases ? down_bias.data() : nullptr};
    }

    std::vector<float> run(CpuIsa isa, int threads, const std::vector<float>& logits,
                           const std::vector<float>& x, int step) const {
        ThreadPool pool(threads);
        Experts experts(pool, kernels(isa));
        const int n = static_cast<int>(x.size()) / kEmbd;
        std::vector<float> out(x.size());
        for (int at = 0; at < n; at += step) {
            experts.run({mixture, up, down}, logits.data() + at * kExperts, x.data() + at * kEmbd,
                        std::min(step, n - at), out.data() + at * kEmbd);
        }
        return out;
    }

    // For one token, in double precision.
    std::vector<double> expected(const float* logits, const float* x) const {
        std::vector<double> out(kEmbd);
        for (const ChosenExpert& c : choose(mixture.routing, {logits, logits + kExperts})) {
            const int width = (mixture.gated ? 2 : 1) * kFf;
            std::vector<double> gate_up = product(up_values, width, kEmbd, c.expert, x), hidden(kFf);
            for (int i = 0; i < width && mixture.up_bias; ++i)
                gate_up[size(i)] += up_bias[size(c.expert * width + i)];
            for (int i = 0; i < kFf; ++i) {
                const double g = gate_up[size(i)];
                hidden[size(i)] = mixture.gated ? g / (1 + std::exp(-g)) * gate_up[size(kFf + i)]
                                                : std::pow(std::max(g, 0.0), 2);
            }
            const std::vector<double> result = product(down_values, kEmbd, kFf, c.expert, hidden.data());
            for (int i = 0; i < kEmbd; ++i) {
                const double bias = mixture.down_bias ? down_bias[size(c.expert * kEmbd + i)] : 0.0;
                out[size(i)] += c.weight * (result[size(i)] + bias);
            }
        }
        return out;
    }

  private:
    static PackedMatrix pack(ThreadPool& pool, TensorType type, int parts, int rows, int cols,
                             Activations activations, std::vector<float>& values, std::mt19937& rng) {
        std::vector<std::vector<std::uint8_t>> data;
        std::vector<WeightSource> sources;
        for (int i = 0; i < kExperts * parts; ++i)
            data.push_back(test::random_weights(type, rows, cols, rng));
        values.resize(size(kExperts * parts * rows * cols));
        float* to = values.data();
        for (const auto& part : data) {
            sources.push_back({type, part, rows});
            for (int r = 0; r < rows; ++r, to += cols)
                gguf::dequantize_row(type, part.data() + part.size() / size(rows) * size(r), to, cols);
        }
        return PackedMatrix::pack(pool, sources, cols, activations);
    }

    template <typename T>
    static std::vector<double> product(const std::vector<float>& values, int rows, int cols, int expert,
                                       const T* x) {
        std::vector<double> out(size(rows));
        const float* w = values.data() + size(expert) * size(rows * cols);
        for (int r = 0; r < rows; ++r, w += cols) out[size(r)] = std::inner_product(w, w + cols, x, 0.0);
        return out;
    }
};

TEST(Experts, AgreeWithTheDefinition) {
    std::mt19937 rng(3);
    const int n = 30;
    const auto logits = test::random_rows(n, kExperts, rng), x = test::random_rows(n, kEmbd, rng);
    for (TensorType type : {TensorType::kF32, TensorType::kF16, TensorType::kQ8_0, TensorType::kMXFP4}) {
        for (const auto& [biases, gated] : {std::pair{false, true}, {true, true}, {true, false}}) {
            const TestMixture m(type, Activations::kF32, biases, gated);
            for (CpuIsa isa : available_isas()) {
                const auto out = m.run(isa, 2, logits, x, n);
                double error = 0, sum = 0;
                for (int i = 0; i < n; ++i) {
                    const auto want = m.expected(logits.data() + i * kExperts, x.data() + i * kEmbd);
                    for (int j = 0; j < kEmbd; ++j) {
                        error += std::pow(out[size(i * kEmbd + j)] - want[size(j)], 2);
                        sum += std::pow(want[size(j)], 2);
                    }
                }
                EXPECT_LT(std::sqrt(error / sum), 1e-6) << gguf::type_name(type) << isa_name(isa);
            }
        }
    }
}

// 70 tokens use 210 experts: more than one batch of visits.
TEST(Experts, BatchesAndThreadsDoNotChangeABit) {
    std::mt19937 rng(4);
    const int n = 70;
    const auto logits = test::random_rows(n, kExperts, rng), x = test::random_rows(n, kEmbd, rng);
    for (Activations activations : {Activations::kInt8, Activations::kInt16, Activations::kF32}) {
        const TestMixture m(TensorType::kQ4_0, activations, true, activations != Activations::kInt16);
        const auto whole = m.run(detect_isa(), 1, logits, x, n);
        for (int threads : {1, 3}) {
            for (int step : {1, 5, 64, n}) {
                const auto out = m.run(detect_isa(), threads, logits, x, step);
                EXPECT_EQ(std::memcmp(out.data(), whole.data(), out.size() * sizeof(float)), 0)
                    << threads << " threads, steps of " << step;
            }
        }
    }
}

}  // namespace
}  // namespace kvsplit::cpu
