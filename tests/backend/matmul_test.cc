// Packed matrix products against the dequantised weights in double precision, against a scalar definition of
// the integer products, and against themselves under every split of the work.
#include "backend/cpu/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "backend/random_weights.h"
#include "base/error.h"
#include "gguf/blocks.h"
#include "kvsplit/error.h"

namespace kvsplit::cpu {
namespace {

using gguf::TensorType;
using test::random_rows;
using test::random_weights;

constexpr Activations kActivations[] = {Activations::kInt8, Activations::kInt16, Activations::kF32};

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

// A matrix in the file's form, packed, and dequantised.
struct Weights {
    TensorType type;
    int rows, cols;
    std::vector<std::uint8_t> data;
    std::vector<float> values;  // (rows, cols)

    Weights(TensorType t, int n_rows, int n_cols, std::mt19937& rng)
        : type(t), rows(n_rows), cols(n_cols), data(random_weights(t, n_rows, n_cols, rng)) {
        dequantize();
    }
    void dequantize() {
        values.resize(size(rows) * size(cols));
        for (int r = 0; r < rows; ++r) {
            gguf::dequantize_row(type, data.data() + data.size() / size(rows) * size(r),
                                 values.data() + size(r) * size(cols), cols);
        }
    }
    WeightSource source() const { return {type, data, rows}; }
    PackedMatrix pack(Activations activations) const {
        ThreadPool pool(2);
        const WeightSource s = source();
        return PackedMatrix::pack(pool, {&s, 1}, cols, activations);
    }
};

std::vector<float> multiply(const PackedMatrix& w, const std::vector<float>& x, CpuIsa isa, int threads = 1,
                            float start = 0) {
    const int n = static_cast<int>(x.size()) / w.cols();
    ThreadPool pool(threads);
    MatmulScratch scratch;
    std::vector<float> out(size(n) * size(w.rows()), start);
    matmul(pool, kernels(isa), w, x.data(), n, out.data(), w.rows(), start != 0, scratch);
    return out;
}

// Largest difference from the product in double precision, relative to |w| |x|.
double relative_error(const Weights& w, const std::vector<float>& x, const std::vector<float>& out) {
    double worst = 0;
    for (std::size_t i = 0; i < x.size() / size(w.cols); ++i) {
        for (int r = 0; r < w.rows; ++r) {
            const float *row = w.values.data() + size(r) * size(w.cols), *xi = x.data() + i * size(w.cols);
            double sum = 0, ww = 1e-30, xx = 1e-30;
            for (int k = 0; k < w.cols; ++k) {
                const double a = row[k], b = xi[k];
                sum += a * b;
                ww += a * a;
                xx += b * b;
            }
            worst = std::max(worst, std::abs(sum - out[i * size(w.rows) + size(r)]) / std::sqrt(ww * xx));
        }
    }
    return worst;
}

// Largest difference from the product in double precision, in standard deviations of the error from rounding
// each k-group of x to 127 steps on either side of 0.
double deviations_from_rounding(const Weights& w, const std::vector<float>& x,
                                const std::vector<float>& out) {
    double worst = 0;
    for (std::size_t i = 0; i < x.size() / size(w.cols); ++i) {
        for (int r = 0; r < w.rows; ++r) {
            const float *row = w.values.data() + size(r) * size(w.cols), *xi = x.data() + i * size(w.cols);
            double sum = 0, variance = 0;
            for (int g = 0; g < w.cols; g += 32) {
                double ww = 0, peak = 0;
                for (int k = g; k < g + 32; ++k) {
                    sum += static_cast<double>(row[k]) * xi[k];
                    ww += static_cast<double>(row[k]) * row[k];
                    peak = std::max(peak, std::abs(static_cast<double>(xi[k])));
                }
                variance += ww * peak * peak / (127.0 * 127.0 * 12);
            }
            worst = std::max(worst, std::abs(sum - out[i * size(w.rows) + size(r)]) / std::sqrt(variance));
        }
    }
    return worst;
}

// The definition of the integer modes, element by element: a k-group's numbers are rounded to `steps` either
// way, 127 or 127 * 256. fma as the SIMD sets do it.
float integer_reference(const gguf::AffineSpec& spec, const gguf::AffineRow& row, const float* x, int cols,
                        float steps) {
    const int group = std::min(spec.group, 32);
    float sum = 0;
    for (int g = 0; g < cols / 32; ++g) {
        float peak = 0;
        for (int k = 0; k < 32; ++k) peak = std::max(peak, std::abs(x[32 * g + k]));
        const float inverse = steps / peak, scale = peak * (1.0f / steps);
        int q[32];
        for (int k = 0; k < 32; ++k) q[k] = static_cast<int>(std::nearbyint(x[32 * g + k] * inverse));
        for (int k0 = 32 * g; k0 < 32 * g + 32; k0 += group) {
            int dot = 0;
            for (int k = k0; k < k0 + group; ++k) dot += spec.level(row.codes[size(k)]) * q[k - 32 * g];
            const std::size_t at = size(k0 / spec.group);
            float d = gguf::scale_value(spec.number, row.d[spec.super ? size(g / 8) : at]);
            if (spec.super) d *= static_cast<float>(row.sc[at]);
            sum = std::fma(static_cast<float>(dot), d * spec.factor * scale, sum);
        }
        if (!spec.has_min) continue;
        for (int k0 = 32 * g; k0 < 32 * g + 32; k0 += group) {
            const int total = std::accumulate(q + k0 - 32 * g, q + k0 - 32 * g + group, 0);
            const std::size_t at = size(k0 / spec.group);
            const float m = spec.super ? -(f16_to_f32(row.dmin[size(g / 8)]) * static_cast<float>(row.mn[at]))
                                       : f16_to_f32(row.m[at]);
            sum = std::fma(m, scale * static_cast<float>(total), sum);
        }
    }
    return sum;
}

class MatmulTypes : public testing::TestWithParam<TensorType> {};
class MatmulIntegerTypes : public MatmulTypes {};

TEST_P(MatmulTypes, PackedRowsAreTheFilesValues) {
    std::mt19937 rng(1);
    const Weights w(GetParam(), 37, 512, rng);
    const PackedMatrix packed = w.pack(Activations::kInt8);
    std::vector<float> row(512);
    for (int r = 0; r < w.rows; ++r) {
        packed.get_row(r, row.data());
        EXPECT_EQ(0, std::memcmp(row.data(), w.values.data() + size(r) * 512, 512 * 4)) << "row " << r;
    }
}

TEST_P(MatmulTypes, ExactMeetsDoublePrecision) {
    std::mt19937 rng(2);
    for (const int rows : {1, 16, 35}) {
        const Weights w(GetParam(), rows, 768, rng);
        const PackedMatrix packed = w.pack(Activations::kF32);
        for (const int n : {1, 2, 3, 9, 13}) {
            const std::vector<float> x = random_rows(n, w.cols, rng);
            for (const CpuIsa isa : available_isas()) {
                EXPECT_LT(relative_error(w, x, multiply(packed, x, isa)), 2e-7) << isa_name(isa);
            }
        }
    }
}

TEST_P(MatmulIntegerTypes, MeetTheirDefinition) {
    const std::optional<gguf::AffineSpec> spec = gguf::affine_spec(GetParam());
    std::mt19937 rng(3);
    const Weights w(GetParam(), 21, 512, rng);
    const int n = 13;
    const std::vector<float> x = random_rows(n, w.cols, rng);
    for (const Activations activations : {Activations::kInt8, Activations::kInt16}) {
        const PackedMatrix packed = w.pack(activations);
        std::vector<std::vector<float>> out;
        for (const CpuIsa isa : available_isas()) out.push_back(multiply(packed, x, isa));
        gguf::AffineRow row;
        for (int r = 0; r < w.rows; ++r) {
            gguf::unpack_row(w.type, w.data.data() + w.data.size() / size(w.rows) * size(r), w.cols, row);
            for (int i = 0; i < n; ++i) {
                const float expected = integer_reference(*spec, row, x.data() + i * w.cols, w.cols,
                                                         activations == Activations::kInt8 ? 127 : 127 * 256);
                for (std::size_t s = 0; s < out.size(); ++s) {
                    const float got = out[s][size(i * w.rows + r)];
                    if (available_isas()[s] == CpuIsa::kPortable) {
                        // Two roundings in place of one: 2^-24 of each of some 32 partial sums.
                        EXPECT_NEAR(got, expected, 2e-5 * (1 + std::abs(expected)));
                    } else {
                        EXPECT_EQ(got, expected)
                            << isa_name(available_isas()[s]) << " row " << r << " x " << i;
                    }
                }
            }
        }
        if (activations == Activations::kInt8) {
            EXPECT_LT(deviations_from_rounding(w, x, out.back()), 5.5);
        }
    }
}

// Rounding leaves 1 / 65,024 of each group's largest number at most.
TEST_P(MatmulIntegerTypes, SixteenBitsComeCloseToExact) {
    std::mt19937 rng(11);
    const Weights w(GetParam(), 35, 768, rng);
    const PackedMatrix packed = w.pack(Activations::kInt16);
    for (const int n : {1, 2, 7, 13}) {
        const std::vector<float> x = random_rows(n, w.cols, rng);
        for (const CpuIsa isa : available_isas()) {
            EXPECT_LT(relative_error(w, x, multiply(packed, x, isa)), 1.5e-5) << isa_name(isa) << " " << n;
        }
    }
}

// The largest numbers that 16 bits hold, and the widest levels: no sum overflows.
TEST_P(MatmulIntegerTypes, SixteenBitsHoldTheLargestNumbers) {
    std::mt19937 rng(12);
    const Weights w(GetParam(), 17, 256, rng);
    const PackedMatrix packed = w.pack(Activations::kInt16);
    std::vector<float> x(5 * 256);
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = i < 256 ? 1.0f : i < 512 ? -1.0f : rng() % 2 ? 3.0f : -3.0f;
    for (const CpuIsa isa : available_isas())
        EXPECT_LT(relative_error(w, x, multiply(packed, x, isa)), 1e-6) << isa_name(isa);
}

TEST_P(MatmulTypes, SplitsOfTheWorkAreBitIdentical) {
    std::mt19937 rng(4);
    const Weights w(GetParam(), 83, 256, rng);
    for (const Activations activations : kActivations) {
        const PackedMatrix packed = w.pack(activations);
        for (const CpuIsa isa : available_isas()) {
            const int total = isa == CpuIsa::kPortable ? 30 : 300;
            const std::vector<float> x = random_rows(total, w.cols, rng);
            const std::vector<float> whole = multiply(packed, x, isa);
            for (const int threads : {2, 3}) EXPECT_EQ(whole, multiply(packed, x, isa, threads));
            for (const int batch : {1, 2, 3, 7, 8, 9, 13, 64}) {
                std::vector<float> parts;
                for (int i = 0; i < total; i += batch) {
                    const auto from = x.begin() + i * w.cols;
                    const auto part = multiply(
                        packed, std::vector<float>(from, from + std::min(batch, total - i) * w.cols), isa);
                    parts.insert(parts.end(), part.begin(), part.end());
                }
                EXPECT_EQ(whole, parts) << isa_name(isa) << " batch " << batch << " activations "
                                        << static_cast<int>(activations);
            }
        }
    }
}

TEST_P(MatmulTypes, AccumulateAddsToTheOutput) {
    std::mt19937 rng(5);
    const Weights w(GetParam(), 19, 256, rng);
    const PackedMatrix packed = w.pack(Activations::kInt8);
    const std::vector<float> x = random_rows(5, w.cols, rng);
    for (const CpuIsa isa : available_isas()) {
        const std::vector<float> plain = multiply(packed, x, isa), added = multiply(packed, x, isa, 2, 3.0f);
        for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_EQ(added[i], 3.0f + plain[i]);
    }
}

// Infinities and NaNs in weights and activations stay where they are: packing changes no weight, and products
// with other activations do not notice.
TEST_P(MatmulTypes, HostileBytesStayInTheirPlaces) {
    std::mt19937 rng(6);
    Weights w(GetParam(), 33, 256, rng);
    for (std::uint8_t& byte : w.data) byte = static_cast<std::uint8_t>(rng() % 4 ? rng() : 0xff);
    w.dequantize();
    std::vector<float> x = random_rows(9, w.cols, rng);
    const std::vector<float> others(x.begin() + 3 * w.cols, x.end());
    x[5] = std::numeric_limits<float>::infinity();
    x[300] = std::numeric_limits<float>::quiet_NaN();
    x[700] = 1e-40f;
    const auto expect_same = [](std::span<const float> got, std::span<const float> expected) {
        for (std::size_t i = 0; i < expected.size(); ++i)
            EXPECT_TRUE(got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i]))) << i;
    };
    for (const Activations activations : kActivations) {
        const PackedMatrix packed = w.pack(activations);
        std::vector<float> row(size(w.cols));
        for (int r = 0; r < w.rows; ++r) {
            packed.get_row(r, row.data());
            expect_same(row, std::span(w.values).subspan(size(r) * row.size(), row.size()));
        }
        for (const CpuIsa isa : available_isas()) {
            const std::vector<float> all = multiply(packed, x, isa);
            expect_same(std::span(all).subspan(3 * size(w.rows)), multiply(packed, others, isa));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Types, MatmulTypes, testing::ValuesIn(test::kWeightTypes),
                         [](const auto& type_info) { return std::string(gguf::type_name(type_info.param)); });

INSTANTIATE_TEST_SUITE_P(Types, MatmulIntegerTypes,
                         testing::ValuesIn(test::kWeightTypes, test::kWeightTypes + test::kIntegerTypes),
                         [](const auto& type_info) { return std::string(gguf::type_name(type_info.param)); });

TEST(Matmul, StackedMatricesOfDifferentTypes) {
    std::mt19937 rng(7);
    const Weights q(TensorType::kQ4_K, 40, 512, rng), k(TensorType::kQ8_0, 17, 512, rng),
        v(TensorType::kF16, 9, 512, rng);
    const std::vector<float> x = random_rows(7, 512, rng);
    ThreadPool pool(2);
    const WeightSource sources[] = {q.source(), k.source(), v.source()};
    for (const Activations activations : kActivations) {
        const PackedMatrix stacked = PackedMatrix::pack(pool, sources, 512, activations);
        ASSERT_EQ(stacked.rows(), 66);
        const std::vector<float> all = multiply(stacked, x, detect_isa(), 2);
        int first = 0;
        for (const Weights* part : {&q, &k, &v}) {
            const std::vector<float> alone = multiply(part->pack(activations), x, detect_isa());
            std::vector<float> row(512);
            for (int r = 0; r < part->rows; ++r) {
                for (int i = 0; i < 7; ++i)
                    EXPECT_EQ(all[size(i * 66 + first + r)], alone[size(i * part->rows + r)]);
                stacked.get_row(first + r, row.data());
                EXPECT_EQ(0, std::memcmp(row.data(), part->values.data() + r * 512, 512 * 4));
            }
            first += part->rows;
        }
    }
}

// Read by several threads, in pieces; a piece that cannot be read is the caller's exception.
TEST(Matmul, SourcesThatAreRead) {
    std::mt19937 rng(9);
    const Weights w(TensorType::kQ4_K, 3001, 512, rng);
    ThreadPool pool(3);
    WeightSource source{
        w.type, {}, w.rows, [&](std::size_t first, std::size_t n, std::vector<std::uint8_t>& to) {
            EXPECT_LE(first + n, w.data.size());
            to.assign(w.data.data() + first, w.data.data() + first + n);
            return static_cast<const std::uint8_t*>(to.data());
        }};
    const PackedMatrix packed = PackedMatrix::pack(pool, {&source, 1}, 512, Activations::kInt8);
    std::vector<float> row(512);
    for (int r = 0; r < w.rows; ++r) {
        packed.get_row(r, row.data());
        ASSERT_EQ(0, std::memcmp(row.data(), w.values.data() + size(r) * 512, 512 * 4)) << r;
    }
    const auto read = std::exchange(source.read, {});
    source.read = [&](std::size_t first, std::size_t n, std::vector<std::uint8_t>& to) {
        if (first > w.data.size() / 2) fail(ErrorCode::kIo, "gone");
        return read(first, n, to);
    };
    try {
        PackedMatrix::pack(pool, {&source, 1}, 512, Activations::kInt8);
        ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kIo);
    }
}

TEST(Matmul, FloatMatricesOfAnyWidth) {
    std::mt19937 rng(8);
    for (const int cols : {1, 31, 33, 100}) {
        const Weights w(TensorType::kF16, 5, cols, rng);
        const PackedMatrix packed = w.pack(Activations::kInt8);
        const std::vector<float> x = random_rows(3, cols, rng);
        for (const CpuIsa isa : available_isas()) {
            EXPECT_LT(relative_error(w, x, multiply(packed, x, isa)), 2e-7);
        }
    }
}

TEST(Matmul, ZeroActivationsGiveZero) {
    std::mt19937 rng(9);
    const Weights w(TensorType::kQ5_1, 16, 64, rng);
    for (const float out : multiply(w.pack(Activations::kInt8), std::vector<float>(128), detect_isa()))
        EXPECT_EQ(out, 0);
}

TEST(PackedMatrix, RefusesWhatDoesNotFit) {
    ThreadPool pool(1);
    const std::vector<std::uint8_t> data(1000);
    const auto pack = [&](TensorType type, std::int64_t rows, std::int64_t cols) {
        const WeightSource s{type, data, rows};
        return PackedMatrix::pack(pool, {&s, 1}, cols, Activations::kInt8);
    };
    EXPECT_THROW(pack(TensorType::kQ8_K, 1, 256), Error);
    EXPECT_THROW(pack(TensorType::kQ4_0, 1, 33), Error);
    EXPECT_THROW(pack(TensorType::kQ4_K, 1, 32), Error);
    EXPECT_THROW(pack(TensorType::kQ4_0, 56, 32), Error);
    EXPECT_THROW(pack(TensorType::kQ4_0, std::int64_t{1} << 60, 32), Error);
    EXPECT_THROW(pack(TensorType::kF32, 0, 32), Error);
    EXPECT_THROW(pack(TensorType::kF32, 1, -32), Error);
    EXPECT_NO_THROW(pack(TensorType::kQ4_0, 55, 32));
    EXPECT_THROW(PackedMatrix::pack(pool, {}, 32, Activations::kInt8), Error);
}

// Types that are denser in the file, with the bytes of 256 weights there and packed (docs/formats.md).
struct Density {
    TensorType type;
    std::size_t file, memory;
};
constexpr Density kDenserInTheFile[] = {
    {TensorType::kQ1_0, 36, 48},     {TensorType::kNVFP4, 144, 160}, {TensorType::kTQ1_0, 54, 66},
    {TensorType::kIQ2_XXS, 66, 106}, {TensorType::kIQ2_XS, 74, 114}, {TensorType::kIQ2_S, 82, 114},
    {TensorType::kIQ3_XXS, 98, 138}, {TensorType::kIQ3_S, 110, 138}, {TensorType::kIQ1_S, 50, 106},
    {TensorType::kIQ1_M, 56, 114},
};

TEST(PackedMatrix, BytesStayNearTheFilesSize) {
    std::mt19937 rng(10);
    for (const TensorType type : test::kWeightTypes) {
        const Weights w(type, 64, 512, rng);
        const std::size_t bytes = w.pack(Activations::kInt8).bytes();
        const auto* denser = std::find_if(std::begin(kDenserInTheFile), std::end(kDenserInTheFile),
                                          [&](const Density& d) { return d.type == type; });
        if (denser == std::end(kDenserInTheFile)) {
            EXPECT_LE(bytes, w.data.size() * 106 / 100) << gguf::type_name(type);
        } else {
            EXPECT_EQ(bytes * denser->file, w.data.size() * denser->memory) << gguf::type_name(type);
        }
    }
}

}  // namespace
}  // namespace kvsplit::cpu
