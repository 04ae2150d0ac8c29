// Norms, gated activations and rotations of every instruction set against their definitions in double
// precision.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "backend/cpu/kernels.h"

namespace kvsplit::cpu {
namespace {

std::vector<float> random_vector(int n, std::mt19937& rng) {
    std::normal_distribution<float> normal(0, 3);
    std::vector<float> x(static_cast<std::size_t>(n));
    for (float& v : x) v = normal(rng);
    return x;
}

constexpr int kLengths[] = {1, 7, 16, 33, 64, 576};

TEST(Elementwise, RmsNorm) {
    std::mt19937 rng(1);
    for (const int n : kLengths) {
        const std::vector<float> x = random_vector(n, rng), gain = random_vector(n, rng);
        double squares = 0;
        for (float v : x) squares += double{v} * v;
        const double factor = 1 / std::sqrt(squares / n + 1e-5);
        for (const CpuIsa isa : available_isas()) {
            std::vector<float> out(x.size(), 2.0f), plain = x;
            kernels(isa).add_rms_norm(x.data(), gain.data(), n, 1e-5f, out.data());
            kernels(isa).rms_norm(plain.data(), nullptr, n, 1e-5f, plain.data());
            for (std::size_t i = 0; i < x.size(); ++i) {
                EXPECT_NEAR(out[i], 2 + x[i] * factor * gain[i], 1e-5);
                EXPECT_NEAR(plain[i], x[i] * factor, 1e-6 * (1 + std::abs(x[i])));
            }
        }
    }
}

TEST(Elementwise, LayerNorm) {
    std::mt19937 rng(7);
    for (const int n : kLengths) {
        std::vector<float> x = random_vector(n, rng);
        const std::vector<float> gain = random_vector(n, rng);
        for (float& v : x) v += 10;  // a mean far from 0
        double mean = 0, squares = 0;
        for (float v : x) mean += double{v} / n;
        for (float v : x) squares += (v - mean) * (v - mean);
        const double factor = 1 / std::sqrt(squares / n + 1e-5);
        for (const CpuIsa isa : available_isas()) {
            std::vector<float> out(x.size(), 2.0f), plain = x;
            kernels(isa).add_layer_norm(x.data(), gain.data(), n, 1e-5f, out.data());
            kernels(isa).layer_norm(plain.data(), nullptr, n, 1e-5f, plain.data());
            for (std::size_t i = 0; i < x.size() && n > 1; ++i) {
                EXPECT_NEAR(out[i], 2 + (x[i] - mean) * factor * gain[i], 3e-5);
                EXPECT_NEAR(plain[i], (x[i] - mean) * factor, 1e-5);
            }
        }
    }
}

TEST(Elementwise, Xielu) {
    std::mt19937 rng(9);
    const Xielu f{.alpha_p = 0.75f, .alpha_n = 1.25f, .beta = 0.5f, .eps = -1e-6f};
    for (const int n : kLengths) {
        const std::vector<float> x = random_vector(n, rng);
        for (const CpuIsa isa : available_isas()) {
            std::vector<float> y = x;
            kernels(isa).xielu(f, n, y.data());
            for (std::size_t i = 0; i < x.size(); ++i) {
                const double v = x[i];
                const double curved =
                    v > 0 ? f.alpha_p * v * v : f.alpha_n * (std::expm1(std::min(v, double{f.eps})) - v);
                EXPECT_NEAR(y[i], curved + f.beta * v, 1e-6 * (1 + v * v));
            }
        }
    }
}

TEST(Elementwise, Activations) {
    std::mt19937 rng(8);
    for (const int n : kLengths) {
        const std::vector<float> x = random_vector(n, rng);
        for (const CpuIsa isa : available_isas()) {
            for (int f = 0; f < kActivations; ++f) {
                if (!kernels(isa).activation[f]) continue;
                std::vector<float> y = x, product(x.size());
                kernels(isa).activation[f](n, y.data());
                kernels(isa).gated[f](x.data(), x.data(), n, product.data());
                for (std::size_t i = 0; i < x.size(); ++i) {
                    const double v = x[i], inner = std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v);
                    const double expected[] = {v / (1 + std::exp(-v)),
                                               0.5 * v * (1 + std::erf(v / std::sqrt(2.0))),
                                               0.5 * v * (1 + std::tanh(inner)),
                                               std::max(v, 0.0),
                                               v > 0 ? v * v : 0.0,
                                               1 / (1 + std::exp(-v)),
                                               v,
                                               std::log1p(std::exp(v))};
                    EXPECT_NEAR(y[i], expected[f], 1e-6 * (1 + v * v)) << f;
                    EXPECT_EQ(product[i], y[i] * x[i]) << f;
                }
            }
        }
    }
}

TEST(Elementwise, ClampAndSoftCap) {
    std::mt19937 rng(9);
    for (const int n : kLengths) {
        const std::vector<float> x = random_vector(n, rng);
        for (const CpuIsa isa : available_isas()) {
            std::vector<float> clamped = x, capped = x;
            kernels(isa).clamp(1.5f, n, clamped.data());
            kernels(isa).soft_cap(2.0f, n, capped.data());
            for (std::size_t i = 0; i < x.size(); ++i) {
                EXPECT_EQ(clamped[i], std::min(std::max(x[i], -1.5f), 1.5f));
                EXPECT_NEAR(capped[i], 2 * std::tanh(x[i] / 2), 2e-6);
            }
        }
    }
}

TEST(Elementwise, ClampedSwiglu) {
    std::mt19937 rng(10);
    for (const int n : kLengths) {
        std::vector<float> gate = random_vector(n, rng), up = random_vector(n, rng), y(gate.size());
        for (std::size_t i = 0; i < gate.size(); i += 3) gate[i] *= 5;
        for (std::size_t i = 0; i < gate.size(); i += 5) up[i] *= 5;
        for (const CpuIsa isa : available_isas()) {
            kernels(isa).gated[int(Activation::kSwigluClamped)](gate.data(), up.data(), n, y.data());
            for (std::size_t i = 0; i < y.size(); ++i) {
                const double g = std::min(gate[i], 7.0f), u = std::clamp(up[i], -7.0f, 7.0f);
                EXPECT_NEAR(y[i], (u + 1) * g / (1 + std::exp(-1.702 * g)), 1e-5);
            }
        }
    }
}

TEST(Elementwise, GatedActivations) {
    std::mt19937 rng(2);
    for (const int n : kLengths) {
        const std::vector<float> gate = random_vector(n, rng), up = random_vector(n, rng);
        for (const CpuIsa isa : available_isas()) {
            const Kernels& table = kernels(isa);
            std::vector<float> silu(gate.size()), gelu = up;
            table.gated[int(Activation::kSilu)](gate.data(), up.data(), n, silu.data());
            table.gated[int(Activation::kGeluTanh)](gate.data(), gelu.data(), n, gelu.data());
            for (std::size_t i = 0; i < gate.size(); ++i) {
                const double g = gate[i];
                EXPECT_NEAR(silu[i], g / (1 + std::exp(-g)) * up[i], 1e-5);
                const double inner = std::sqrt(2 / M_PI) * (g + 0.044715 * g * g * g);
                EXPECT_NEAR(gelu[i], 0.5 * g * (1 + std::tanh(inner)) * up[i], 1e-5);
            }
        }
    }
}

TEST(Elementwise, AddAndScale) {
    std::mt19937 rng(3);
    for (const int n : kLengths) {
        const std::vector<float> x = random_vector(n, rng);
        for (const CpuIsa isa : available_isas()) {
            std::vector<float> sum(x.size(), 1.0f), scaled(x.size());
            kernels(isa).add(x.data(), 1.0f, n, sum.data());
            kernels(isa).scale(x.data(), 0.3f, n, scaled.data());
            for (std::size_t i = 0; i < x.size(); ++i) {
                EXPECT_EQ(sum[i], 1.0f + x[i]);
                EXPECT_EQ(scaled[i], x[i] * 0.3f);
            }
        }
    }
}

TEST(Elementwise, Rope) {
    std::mt19937 rng(4);
    const int n_heads = 3;
    for (const int n_pairs : {1, 5, 8, 16, 20, 32, 128}) {
        const int stride = 2 * n_pairs + 3;  // the rest of each head is not rotated
        std::vector<float> cos(static_cast<std::size_t>(n_pairs)), sin(cos.size());
        for (std::size_t i = 0; i < cos.size(); ++i) {
            cos[i] = static_cast<float>(std::cos(0.7 * static_cast<double>(i)));
            sin[i] = static_cast<float>(std::sin(0.7 * static_cast<double>(i)));
        }
        const std::vector<float> x = random_vector(n_heads * stride, rng);
        for (const CpuIsa isa : available_isas()) {
            for (const bool halves : {false, true}) {
                std::vector<float> out = x;
                (halves ? kernels(isa).rope_halves : kernels(isa).rope_pairs)(
                    out.data(), n_heads, stride, n_pairs, cos.data(), sin.data());
                std::vector<double> expected(x.begin(), x.end());
                for (int h = 0; h < n_heads; ++h) {
                    for (int i = 0; i < n_pairs; ++i) {
                        const std::size_t a = static_cast<std::size_t>(h * stride + (halves ? i : 2 * i));
                        const std::size_t b = a + static_cast<std::size_t>(halves ? n_pairs : 1);
                        const double c = cos[static_cast<std::size_t>(i)],
                                     s = sin[static_cast<std::size_t>(i)];
                        expected[a] = x[a] * c - x[b] * s;
                        expected[b] = x[b] * c + x[a] * s;
                    }
                }
                for (std::size_t i = 0; i < x.size(); ++i)
                    EXPECT_NEAR(out[i], expected[i], 2e-6) << isa_name(isa);
            }
        }
    }
}

TEST(Elementwise, FusedSetsAgreeBitForBit) {
    const std::vector<CpuIsa>& isas = available_isas();
    if (isas.size() < 3) GTEST_SKIP() << "this processor has no second fused set";
    std::mt19937 rng(5);
    const int n = 577;
    const std::vector<float> x = random_vector(n, rng), y = random_vector(n, rng);
    std::vector<std::vector<float>> out;
    for (std::size_t i = 1; i < isas.size(); ++i) {  // all but the portable set
        const CpuIsa isa = isas[i];
        std::vector<float>& o = out.emplace_back(y);
        kernels(isa).add_rms_norm(x.data(), y.data(), n, 1e-6f, o.data());
        for (const auto gated : kernels(isa).gated) gated(o.data(), x.data(), n, o.data());
        kernels(isa).add_layer_norm(x.data(), y.data(), n, 1e-6f, o.data());
        for (const auto activate : kernels(isa).activation) {
            if (activate) activate(n, o.data());  // null if there is only the gated form
        }
        kernels(isa).soft_cap(20.0f, n, o.data());
        kernels(isa).rope_pairs(o.data(), 4, 128, 64, x.data(), y.data());
        kernels(isa).rope_halves(o.data(), 4, 128, 64, y.data(), x.data());
    }
    for (const auto& o : out) EXPECT_EQ(o, out[0]);
}

}  // namespace
}  // namespace kvsplit::cpu
