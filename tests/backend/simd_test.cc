// The SIMD layer: every instruction set of this machine against plain C++ and against the portable set.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/simd_ops.h"
#include "base/cpu_features.h"
#include "base/half.h"

namespace kvsplit::cpu {
#define X(set)                           \
    namespace set {                      \
    extern const test::SimdOps simd_ops; \
    }
KVSPLIT_EACH_ISA
#undef X

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Set {
    std::string name;
    const test::SimdOps* ops;
    bool fused;
};
// The sets of this build and processor, the portable one first.
std::vector<Set> sets() {
#define X(set) {#set, &set::simd_ops, std::string_view(#set) != "portable"},
    std::vector<Set> all = {KVSPLIT_EACH_ISA};
#undef X
    std::erase_if(
        all, [](const Set& set) { return std::ranges::count(available_isas(), set.name, isa_name) == 0; });
    return all;
}

// Plain numbers, small and large ones, ties, and the special values.
struct Source {
    std::mt19937 rng{7};
    float number() {
        static const float kSpecial[] = {0.0f,    -0.0f,   1.0f,  -1.0f, 0.5f,  2.5f,    -2.5f,
                                         1e-40f,  -1e-45f, 3e38f, kInf,  -kInf, 65504.f, 65519.9f,
                                         65520.f, 1e-7f,   6e-8f, 3e9f,  -3e9f, 127.5f};
        if (rng() % 4 == 0) return kSpecial[rng() % std::size(kSpecial)];
        std::normal_distribution<float> normal;
        return normal(rng) * std::ldexp(1.0f, static_cast<int>(rng() % 40) - 20);
    }
    void fill(float* p, int n = 16) {
        for (int i = 0; i < n; ++i) p[i] = number();
    }
    template <typename T>
    void fill_bits(T* p, int n) {
        for (int i = 0; i < n; ++i) p[i] = static_cast<T>(rng());
    }
};

// Equal bits; any NaN equals any other.
bool same(float a, float b) { return std::memcmp(&a, &b, 4) == 0 || (std::isnan(a) && std::isnan(b)); }

#define EXPECT_SAME_LANES(a, b, n, what) \
    for (int lane = 0; lane < (n); ++lane) ASSERT_TRUE(same(a[lane], b[lane])) << what << " lane " << lane

TEST(Simd, FloatOperationsAgreeBitForBit) {
    Source source;
    for (int round = 0; round < 500; ++round) {
        float a[16], b[16], expected[16], got[16];
        source.fill(a);
        source.fill(b);
        if (round % 5 == 0) a[round % 16] = kNan;
        if (round % 7 == 0) b[round % 16] = kNan;
        for (const Set& set : sets()) {
            for (std::size_t i = 0; i < std::size(set.ops->unary); ++i) {
                const std::string name = set.ops->unary[i].name;
                float in[16];
                for (int l = 0; l < 16; ++l) in[l] = name == "power_of_two" ? std::fmod(a[l], 126.0f) : a[l];
                for (float& v : in) v = name == "power_of_two" && !std::isfinite(v) ? 0 : v;
                portable::simd_ops.unary[i].op(in, expected);
                set.ops->unary[i].op(in, got);
                EXPECT_SAME_LANES(expected, got, 16, set.name + (" " + name));
            }
            for (std::size_t i = 0; i < std::size(set.ops->binary); ++i) {
                portable::simd_ops.binary[i].op(a, b, expected);
                set.ops->binary[i].op(a, b, got);
                EXPECT_SAME_LANES(expected, got, 16, set.name + std::string(" ") + set.ops->binary[i].name);
            }
            // As documented: the second argument if either is NaN.
            set.ops->binary[4].op(a, b, got);
            for (int l = 0; l < 16; ++l) ASSERT_TRUE(same(got[l], a[l] > b[l] ? a[l] : b[l]));
            ASSERT_TRUE(same(set.ops->reduce_add(a), portable::simd_ops.reduce_add(a))) << set.name;
            ASSERT_TRUE(same(set.ops->reduce_max(b), portable::simd_ops.reduce_max(b))) << set.name;
        }
    }
}

TEST(Simd, IntegerAndByteOperationsAgree) {
    Source source;
    for (int round = 0; round < 500; ++round) {
        std::int32_t a[16], b[16], expected[16], got[16];
        std::uint8_t p[64], q[64], want[64], have[64];
        std::uint16_t u[32], v[32], words_expected[32], words[32];
        source.fill_bits(u, 32);
        source.fill_bits(v, 32);
        source.fill_bits(a, 16);
        source.fill_bits(b, 16);
        source.fill_bits(p, 64);
        source.fill_bits(q, 64);
        if (round % 2) std::memcpy(b, a, 32);
        for (const Set& set : sets()) {
            for (std::size_t i = 0; i < std::size(set.ops->integer); ++i) {
                portable::simd_ops.integer[i].op(a, b, expected);
                set.ops->integer[i].op(a, b, got);
                ASSERT_EQ(0, std::memcmp(expected, got, 64)) << set.name << " " << set.ops->integer[i].name;
            }
            for (std::size_t i = 0; i < std::size(set.ops->words); ++i) {
                portable::simd_ops.words[i].op(u, v, words_expected);
                set.ops->words[i].op(u, v, words);
                ASSERT_EQ(0, std::memcmp(words_expected, words, 64))
                    << set.name << " " << set.ops->words[i].name;
            }
            for (std::size_t i = 0; i < std::size(set.ops->bytes); ++i) {
                portable::simd_ops.bytes[i].op(p, q, want);
                set.ops->bytes[i].op(p, q, have);
                ASSERT_EQ(0, std::memcmp(want, have, 64)) << set.name << " " << set.ops->bytes[i].name;
            }
            ASSERT_EQ(set.ops->reduce_add_i32(a), portable::simd_ops.reduce_add_i32(a)) << set.name;
        }
    }
}

TEST(Simd, ByteOperationsMeetTheirMeaning) {
    Source source;
    std::uint8_t p[64], q[64], out[64];
    source.fill_bits(p, 64);
    source.fill_bits(q, 64);
    for (const Set& set : sets()) {
        const auto run = [&](const std::string& name) {
            for (const auto& op : set.ops->bytes) {
                if (op.name == name) op.op(p, q, out);
            }
        };
        for (const auto& [name, meaning] :
             std::vector<std::pair<std::string, unsigned (*)(const std::uint8_t*, const std::uint8_t*, int)>>{
                 {"low_nibbles", [](auto*a, auto*, int i) { return a[i] & 15u; }},
                 {"high_nibbles", [](auto*a, auto*, int i) { return a[i] / 16u; }},
                 {"shift left", [](auto*a, auto*, int i) { return a[i] * 4u % 256; }},
                 {"shift right", [](auto*a, auto*, int i) { return a[i] / 8u; }},
                 {"lookup16", [](auto*a, auto*b, int i) { return unsigned{b[a[i] % 16]}; }},
                 {"lookup low nibbles", [](auto*a, auto*b, int i) { return unsigned{b[a[i] % 16]}; }},
                 {"lookup high nibbles", [](auto*a, auto*b, int i) { return unsigned{b[a[i] / 16]}; }},
                 {"add_where",
                  [](auto*a, auto*b, int i) { return (a[i] + (b[i / 8] >> i % 8 & 1) * 200u) % 256; }},
                 {"set1_4bytes", [](auto*a, auto*, int i) { return unsigned{a[5 + i % 4]}; }},
                 {"pack_bytes", [](auto*a, auto*b, int i) {  // of a, b, a + b, a ^ b: the lowest byte of lane
                      const int lane = i / 16 * 4 + i % 4, x = a[4 * lane], y = b[4 * lane];
                      const int of[4] = {x, y, (x + y) % 256, x ^ y};
                      return static_cast<unsigned>(of[i / 4 % 4]);
                  }}}) {
            run(name);
            for (int i = 0; i < 64; ++i) ASSERT_EQ(out[i], meaning(p, q, i)) << set.name << " " << name;
        }
    }
}

test::SimdOps::Words word_op(const Set& set, std::string_view name) {
    return std::ranges::find(set.ops->words, name, &test::SimdOps::NamedWords::name)->op;
}

TEST(Simd, WordOperationsMeetTheirMeaning) {
    Source source;
    std::uint16_t a[32], b[32], out[32];
    source.fill_bits(a, 32);
    source.fill_bits(b, 32);
    a[0] = b[0] = 65535;
    using Meaning = unsigned (*)(unsigned a, unsigned b);
    for (const Set& set : sets()) {
        for (const auto& [name, meaning] : std::vector<std::pair<std::string, Meaning>>{
                 {"add", [](unsigned x, unsigned y) { return (x + y) % 65536; }},
                 {"max", [](unsigned x, unsigned y) { return x > y ? x : y; }},
                 {"average", [](unsigned x, unsigned y) { return (x + y + 1) / 2; }},
                 {"multiply_high", [](unsigned x, unsigned y) { return x * y / 65536; }},
                 {"multiply_rounded",
                  [](unsigned x, unsigned y) { return (x / 2 * (y / 2) + 16384) / 32768; }},
                 {"shifts", [](unsigned x, unsigned y) { return (x * 8 + y / 32) % 65536; }},
                 {"shift_out", [](unsigned x, unsigned y) { return x >> (16 - y / 4096); }}}) {
            word_op(set, name)(a, b, out);
            for (int i = 0; i < 32; ++i) ASSERT_EQ(out[i], meaning(a[i], b[i])) << set.name << " " << name;
        }
    }
}

TEST(Simd, ExponentsInWordsMeetTheirBound) {
    for (const Set& set : sets()) {
        for (int first = 0; first < 65536; first += 32) {
            std::uint16_t t[32], out[32];
            for (int i = 0; i < 32; ++i) t[i] = static_cast<std::uint16_t>(first + i);
            word_op(set, "exp2_words")(t, t, out);
            for (int i = 0; i < 32; ++i) {
                const double exact = std::exp2((first + i) / 4096.0 - 1);
                EXPECT_LE(out[i], exact) << set.name << " " << first + i;
                EXPECT_GE(out[i] + 1, exact * 0.996) << set.name << " " << first + i;
            }
        }
    }
}

TEST(Simd, DotProductsAreExactAtTheExtremes) {
    Source source;
    for (int round = 0; round < 1000; ++round) {
        std::int32_t acc[16], out[16];
        std::uint8_t a[64], b[64], small_a[64], small_b[64];
        source.fill_bits(acc, 16);
        source.fill_bits(a, 64);
        source.fill_bits(b, 64);
        if (round % 3 == 0) std::memset(a, 255, 64);
        if (round % 4 == 0) std::memset(b, round % 8 ? 127 : 128, 64);
        for (int i = 0; i < 64; ++i) {
            small_a[i] = a[i] & 127;
            small_b[i] = b[i] & 63;
        }
        for (const Set& set : sets()) {
            const auto expect_exact = [&](auto dot, const std::uint8_t* x, const std::uint8_t* y) {
                dot(acc, x, y, out);
                for (int i = 0; i < 16; ++i) {
                    std::int64_t sum = acc[i];
                    for (int j = 4 * i; j < 4 * i + 4; ++j) sum += x[j] * static_cast<std::int8_t>(y[j]);
                    ASSERT_EQ(out[i], static_cast<std::int32_t>(static_cast<std::uint32_t>(sum))) << set.name;
                }
            };
            expect_exact(set.ops->dot4, a, b);
            expect_exact(set.ops->dot4_small, small_a, b);
            expect_exact(set.ops->dot4_unsigned, a, small_b);
        }
    }
}

TEST(Simd, DotProductsOfKeysAreExact) {
    Source source;
    for (int round = 0; round < 1000; ++round) {
        std::int32_t acc[16], out[16];
        std::uint8_t a[64], b[64];
        source.fill_bits(acc, 16);
        source.fill_bits(a, 64);
        source.fill_bits(b, 64);
        if (round % 3 == 0) std::memset(a, round % 2 ? 128 : 127, 64);
        if (round % 4 == 0) std::memset(b, round % 8 ? 127 : 129, 64);
        for (std::uint8_t& x : b) x = x == 128 ? 129 : x;
        for (const Set& set : sets()) {
            set.ops->dot4_keys(acc, a, b, out);
            for (int i = 0; i < 16; ++i) {
                std::int64_t sum = acc[i];
                for (int j = 4 * i; j < 4 * i + 4; ++j)
                    sum += static_cast<std::int8_t>(a[j]) * static_cast<std::int8_t>(b[j]);
                ASSERT_EQ(out[i], static_cast<std::int32_t>(static_cast<std::uint32_t>(sum))) << set.name;
            }
        }
    }
}

TEST(Simd, ConversionsRoundToNearestEvenAndSaturate) {
    Source source;
    for (int round = 0; round < 2000; ++round) {
        float a[16];
        source.fill(a);
        if (round % 3 == 0) {
            for (float& v : a) v = std::floor(std::fmod(v, 200.0f)) + 0.5f;
        }
        a[round % 16] = round % 2 ? kNan : 2147483648.0f;
        for (const Set& set : sets()) {
            std::int32_t ints[16];
            std::int8_t bytes[16];
            std::uint16_t halves[16];
            set.ops->to_i32(a, ints);
            set.ops->store_i8(a, bytes);
            set.ops->store_f16(a, halves);
            for (int i = 0; i < 16; ++i) {
                const bool fits = a[i] >= -2147483648.0f && a[i] < 2147483648.0f;
                const std::int32_t n = fits ? static_cast<std::int32_t>(std::nearbyint(a[i])) : INT32_MIN;
                ASSERT_EQ(ints[i], n) << set.name << " " << a[i];
                ASSERT_EQ(bytes[i], std::clamp(n, -128, 127)) << set.name << " " << a[i];
                if (!std::isnan(a[i])) {
                    ASSERT_EQ(halves[i], f32_to_f16_portable(a[i])) << set.name << " " << a[i];
                }
            }
        }
    }
}

TEST(Simd, AllHalvesAndBytesLoad) {
    for (const Set& set : sets()) {
        for (int base = 0; base < 65536; base += 16) {
            std::uint16_t h[16];
            float out[16], bf[16];
            for (int i = 0; i < 16; ++i) h[i] = static_cast<std::uint16_t>(base + i);
            set.ops->load_f16(h, out);
            set.ops->load_bf16(h, bf);
            for (int i = 0; i < 16; ++i) {
                ASSERT_TRUE(same(out[i], f16_to_f32_portable(h[i]))) << set.name << " " << h[i];
                ASSERT_TRUE(same(set.ops->f16_to_f32(h[i]), out[i])) << set.name << " " << h[i];
                ASSERT_TRUE(same(bf[i], bf16_to_f32(h[i]))) << set.name << " " << h[i];
            }
        }
        for (int base = 0; base < 256; base += 16) {
            std::uint8_t u[16];
            std::int32_t out[16];
            for (int i = 0; i < 16; ++i) u[i] = static_cast<std::uint8_t>(base + i);
            set.ops->load_u8(u, out);
            for (int i = 0; i < 16; ++i) ASSERT_EQ(out[i], base + i) << set.name;
            set.ops->load_i8(reinterpret_cast<const std::int8_t*>(u), out);
            for (int i = 0; i < 16; ++i) ASSERT_EQ(out[i], static_cast<std::int8_t>(base + i)) << set.name;
            float f[16];
            set.ops->to_f32(out, f);
            for (int i = 0; i < 16; ++i) ASSERT_EQ(f[i], static_cast<float>(out[i])) << set.name;
        }
    }
}

TEST(Simd, PartialLoadsAndStoresTouchNothingElse) {
    for (const Set& set : sets()) {
        for (int n = 0; n <= 16; ++n) {
            const auto in =
                std::make_unique<float[]>(static_cast<std::size_t>(n));  // the sanitizer watches its end
            std::fill_n(in.get(), n, 5.0f);
            float out[17];
            for (float& v : out) v = -1;
            set.ops->first(in.get(), n, out);
            for (int i = 0; i < 17; ++i) ASSERT_EQ(out[i], i < n ? 5.0f : -1.0f) << set.name << " n " << n;
            ASSERT_EQ(set.ops->mask_first(n), (1u << n) - 1) << set.name;
        }
    }
}

TEST(Simd, FusedMultiplyAddRoundsOnceWhereItSays) {
    Source source;
    for (int round = 0; round < 500; ++round) {
        float a[16], b[16], c[16], out[32];
        source.fill(a);
        source.fill(b);
        source.fill(c);
        for (const Set& set : sets()) {
            set.ops->fmadd(a, b, c, out);
            for (int i = 0; i < 16; ++i) {
                const float plus = set.fused ? std::fma(a[i], b[i], c[i]) : a[i] * b[i] + c[i];
                const float minus = set.fused ? std::fma(-a[i], b[i], c[i]) : c[i] - a[i] * b[i];
                ASSERT_TRUE(same(out[i], plus)) << set.name;
                ASSERT_TRUE(same(out[16 + i], minus)) << set.name;
            }
        }
    }
}

// Largest error of op over [low, high] against `meaning`; if asked for, relative for normal results.
template <typename Meaning>
double worst_error(test::SimdOps::F1 op, double low, double high, bool relative, Meaning meaning) {
    double worst = 0;
    const int n = 1 << 18;
    for (int at = 0; at < n; at += 16) {
        float x[16], y[16];
        for (int i = 0; i < 16; ++i) x[i] = static_cast<float>(low + (high - low) * (at + i) / n);
        op(x, y);
        for (int i = 0; i < 16; ++i) {
            const double exact = meaning(static_cast<double>(x[i]));
            const double scale = relative ? std::max(std::abs(exact), 1.2e-38) : 1;
            worst = std::max(worst, std::abs(y[i] - exact) / scale);
        }
    }
    return worst;
}

TEST(Simd, FunctionsMeetTheirBounds) {
    for (const Set& set : sets()) {
        const auto& f = set.ops->fused;
        EXPECT_LT(worst_error(f[0].op, -104, 88.7, true, [](double x) { return std::exp(x); }), 2e-7)
            << set.name;
        EXPECT_LT(worst_error(f[0].op, -1, 1, true, [](double x) { return std::exp(x); }), 2e-7) << set.name;
        EXPECT_LT(worst_error(f[5].op, 0, 125.9, true, [](double x) { return std::exp2(-x); }), 2e-7)
            << set.name;
        EXPECT_LT(worst_error(f[1].op, -20, 20, true, [](double x) { return 1 / (1 + std::exp(-x)); }), 4e-7);
        EXPECT_LT(worst_error(f[2].op, -80, 80, true, [](double x) { return x / (1 + std::exp(-x)); }), 4e-7);
        const auto gelu = [](double x) {
            return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
        };
        EXPECT_LT(worst_error(f[3].op, -8, 8, false, gelu), 1e-6) << set.name;
        EXPECT_LT(worst_error(f[4].op, -20, 20, false, [](double x) { return std::tanh(x); }), 3e-7)
            << set.name;

        float x[16] = {0.0f, -0.0f, -104.0f, -1e30f, -kInf, kInf, 89.0f, kNan, 88.8f, -103.0f}, y[16];
        f[0].op(x, y);
        EXPECT_EQ(y[0], 1.0f);
        EXPECT_EQ(y[1], 1.0f);
        for (int i = 2; i < 5; ++i) EXPECT_EQ(y[i], 0.0f) << set.name << " " << x[i];
        EXPECT_EQ(y[5], kInf);
        EXPECT_EQ(y[6], kInf);
        EXPECT_TRUE(std::isnan(y[7]));
        EXPECT_EQ(y[8], kInf);
        EXPECT_GT(y[9], 0.0f);
        f[2].op(x, y);  // silu
        EXPECT_EQ(y[0], 0.0f);
        EXPECT_EQ(y[3], 0.0f);
        EXPECT_EQ(y[5], kInf);
    }
}

TEST(Simd, FunctionsAgreeBetweenTheFusedSets) {
    Source source;
    const std::vector<Set> all = sets();
    if (all.size() < 3) GTEST_SKIP() << "this processor has no second fused set";
    for (int round = 0; round < 2000; ++round) {
        float a[16], x[16], y[16];
        source.fill(a);
        for (std::size_t i = 0; i < std::size(all[1].ops->fused); ++i) {
            all[1].ops->fused[i].op(a, x);
            for (std::size_t s = 2; s < all.size(); ++s) {
                all[s].ops->fused[i].op(a, y);
                EXPECT_SAME_LANES(x, y, 16, all[s].name + std::string(" ") + all[1].ops->fused[i].name);
            }
        }
    }
}

// The bits that every processor family must give: compares AVX and NEON, although no machine has both.
TEST(Simd, FusedSetsGiveTheBitsOfOtherProcessors) {
    constexpr std::uint64_t kExpected = 10420440886680849881u;
    for (const Set& set : sets()) {
        if (!set.fused) continue;
        std::mt19937 rng(11);
        std::uint64_t hash = 14695981039346656037u;  // FNV-1a
        const auto add = [&](const float* values, int n) {
            for (int i = 0; i < n; ++i)
                hash = (hash ^ std::bit_cast<std::uint32_t>(values[i])) * 1099511628211u;
        };
        for (int round = 0; round < 1000; ++round) {
            float a[16], b[16], out[32];
            for (int i = 0; i < 16; ++i) {  // -32 to 32, from integers: distributions call the C library
                a[i] = static_cast<float>(static_cast<std::int32_t>(rng())) * 0x1p-26f;
                b[i] = static_cast<float>(static_cast<std::int32_t>(rng())) * 0x1p-26f;
            }
            for (const auto& function : set.ops->fused) {
                function.op(a, out);
                add(out, 16);
            }
            set.ops->fmadd(a, b, a, out);
            add(out, 32);
            const float sum = set.ops->reduce_add(a);
            add(&sum, 1);
        }
        EXPECT_EQ(hash, kExpected) << set.name;
    }
}

}  // namespace
}  // namespace kvsplit::cpu
