// Recurrences of every instruction set against their definitions in double precision, and split runs against
// whole ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <vector>

#include "backend/cpu/kernels.h"

namespace kvsplit::cpu {
namespace {

using Floats = std::vector<float>;

Floats random_floats(int n, std::mt19937& rng, float mean = 0, float spread = 1) {
    std::normal_distribution<float> normal(mean, spread);
    Floats x(static_cast<std::size_t>(n));
    for (float& v : x) v = normal(rng);
    return x;
}

double softplus(double x) { return std::log1p(std::exp(x)); }

constexpr int kTokens = 23;
constexpr int kWidths[] = {1, 7, 16, 33, 48, 64};

// run(first token, tokens, state) must give the same bits for all tokens at once and in pieces. Returns out.
template <typename Run>
Floats in_pieces(int width, std::size_t n_state, Run run) {
    Floats whole(static_cast<std::size_t>(kTokens * width)), pieces = whole;
    Floats state(n_state, 0.25f), same = state;
    run(0, kTokens, state.data(), whole.data());
    for (int first = 0, n = 1; first < kTokens; first += n, n = std::min(n + 1, kTokens - first))
        run(first, n, same.data(), pieces.data() + first * width);
    const auto bits = [](const Floats& x) { return std::as_bytes(std::span(x)); };
    EXPECT_TRUE(std::ranges::equal(bits(whole), bits(pieces)));
    EXPECT_TRUE(std::ranges::equal(bits(state), bits(same)));
    return whole;
}

TEST(Recurrence, Softplus) {
    Floats x, bias, out;
    for (float v = -90; v < 90; v += 0.37f) x.push_back(v);
    bias.assign(x.size(), 0.5f);
    out.resize(x.size());
    for (const CpuIsa isa : available_isas()) {
        kernels(isa).recurrence.softplus(x.data(), bias.data(), static_cast<int>(x.size()), out.data());
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double expected = softplus(double{x[i] + bias[i]});
            EXPECT_NEAR(out[i], expected, 1e-6 * expected) << x[i];
        }
    }
}

TEST(Recurrence, Convolution) {
    std::mt19937 rng(1);
    for (const int width : kWidths) {
        for (const int taps : {1, 2, 3, 4, 7}) {
            const int stride = width + 5;
            const Floats x = random_floats(kTokens * stride, rng), weights = random_floats(taps * width, rng),
                         bias = random_floats(width, rng);
            for (const CpuIsa isa : available_isas()) {
                const Floats out =
                    in_pieces(width, static_cast<std::size_t>((taps - 1) * width),
                              [&](int first, int n, float* tail, float* to) {
                                  kernels(isa).recurrence.convolve({n,
                                                                    width,
                                                                    taps,
                                                                    weights.data(),
                                                                    width,
                                                                    bias.data(),
                                                                    tail,
                                                                    {x.data() + first * stride, stride},
                                                                    to,
                                                                    width},
                                                                   Activation::kSilu);
                              });
                for (int t = 0; t < kTokens; ++t) {
                    for (int c = 0; c < width; ++c) {
                        double sum = bias[static_cast<std::size_t>(c)];
                        for (int j = 0; j < taps; ++j) {
                            const int from = t - taps + 1 + j;
                            sum += double{weights[static_cast<std::size_t>(j * width + c)]} *
                                   (from < 0 ? 0.25 : x[static_cast<std::size_t>(from * stride + c)]);
                        }
                        EXPECT_NEAR(out[static_cast<std::size_t>(t * width + c)], sum / (1 + std::exp(-sum)),
                                    2e-6 * (1 + std::abs(sum)));
                    }
                }
            }
        }
    }
}

// Mamba-2 with one dt and one a; Mamba with those of each channel.
TEST(Recurrence, StateSpace) {
    constexpr int kStates = 19;
    std::mt19937 rng(2);
    for (const bool per_channel : {false, true}) {
        for (const int width : kWidths) {
            const Floats x = random_floats(kTokens * width, rng), b = random_floats(kTokens * kStates, rng),
                         c = random_floats(kTokens * kStates, rng), d = random_floats(width, rng);
            Floats dt = random_floats(kTokens * width, rng), a = random_floats(kStates * width, rng);
            for (float& v : dt) v = std::abs(v);
            for (float& v : a) v = -std::abs(v);
            const auto at = [&](const Floats& f, int row, int channel) {
                return double{f[static_cast<std::size_t>(row * width + (per_channel ? channel : 0))]};
            };
            for (const CpuIsa isa : available_isas()) {
                const RecurrenceKernels& table = kernels(isa).recurrence;
                const int stride = block_stride(width);
                const Floats out =
                    in_pieces(width, static_cast<std::size_t>(kStates * stride),
                              [&](int first, int n, float* state, float* to) {
                                  (per_channel ? table.state_space_per_channel
                                               : table.state_space)({n,
                                                                     width,
                                                                     kStates,
                                                                     {x.data() + first * width, width},
                                                                     {b.data() + first * kStates, kStates},
                                                                     {c.data() + first * kStates, kStates},
                                                                     {dt.data() + first * width, width},
                                                                     a.data(),
                                                                     width,
                                                                     d.data(),
                                                                     state,
                                                                     to,
                                                                     width});
                              });
                for (int i = 0; i < width; ++i) {
                    std::vector<double> state(kStates, 0.25);
                    for (int t = 0; t < kTokens; ++t) {
                        const double v = x[static_cast<std::size_t>(t * width + i)], step = at(dt, t, i);
                        double sum = d[static_cast<std::size_t>(i)] * v;
                        for (int s = 0; s < kStates; ++s) {
                            double& h = state[static_cast<std::size_t>(s)];
                            h = std::exp(step * at(a, per_channel ? s : 0, i)) * h +
                                step * v * b[static_cast<std::size_t>(t * kStates + s)];
                            sum += h * c[static_cast<std::size_t>(t * kStates + s)];
                        }
                        EXPECT_NEAR(out[static_cast<std::size_t>(t * width + i)], sum,
                                    1e-5 * (3 + std::abs(sum)));
                    }
                }
            }
        }
    }
}

TEST(Recurrence, DeltaRule) {
    constexpr int kKeys = 19;
    std::mt19937 rng(3);
    for (const int width : kWidths) {
        const Floats query = random_floats(kTokens * kKeys, rng),
                     key = random_floats(kTokens * kKeys, rng, 0, 0.2f),
                     value = random_floats(kTokens * width, rng), beta = random_floats(kTokens, rng);
        Floats step = random_floats(kTokens, rng);
        for (float& v : step) v = std::abs(v);
        constexpr float kDecay = -0.3f;
        for (const CpuIsa isa : available_isas()) {
            const Floats out =
                in_pieces(width, static_cast<std::size_t>(kKeys * block_stride(width)),
                          [&](int first, int n, float* state, float* to) {
                              kernels(isa).recurrence.delta_rule({n,
                                                                  width,
                                                                  kKeys,
                                                                  {query.data() + first * kKeys, kKeys},
                                                                  {key.data() + first * kKeys, kKeys},
                                                                  {value.data() + first * width, width},
                                                                  {step.data() + first, 1},
                                                                  {beta.data() + first, 1},
                                                                  kDecay,
                                                                  state,
                                                                  to,
                                                                  width});
                          });
            for (int i = 0; i < width; ++i) {
                std::vector<double> state(kKeys, 0.25);
                for (int t = 0; t < kTokens; ++t) {
                    const auto token = static_cast<std::size_t>(t);
                    double held = 0, sum = 0;
                    for (std::size_t k = 0; k < kKeys; ++k) {
                        state[k] *= std::exp(double{kDecay} * step[token]);
                        held += state[k] * key[token * kKeys + k];
                    }
                    const double change =
                        (value[token * static_cast<std::size_t>(width) + static_cast<std::size_t>(i)] -
                         held) /
                        (1 + std::exp(-double{beta[token]}));
                    for (std::size_t k = 0; k < kKeys; ++k) {
                        state[k] += change * key[token * kKeys + k];
                        sum += state[k] * query[token * kKeys + k];
                    }
                    EXPECT_NEAR(out[static_cast<std::size_t>(t * width + i)], sum,
                                1e-5 * (3 + std::abs(sum)));
                }
            }
        }
    }
}

}  // namespace
}  // namespace kvsplit::cpu
