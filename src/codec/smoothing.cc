#include "codec/smoothing.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "base/half.h"
#include "codec/reference.h"

namespace kvsplit::codec {
namespace {

constexpr double kExponent = 1.0 / 8;
constexpr double kFloor = 1e-3;  // of the mean over channels

// Variance of one channel over all tokens of the pages, sinks excluded.
double variance(std::span<const std::uint16_t* const> pages, int sinks, std::size_t channel) {
    double sum = 0, sum_squares = 0;
    std::size_t n = 0;
    const double origin = f16_to_f32(pages[0][channel * kPageTokens + static_cast<std::size_t>(sinks)]);
    for (std::size_t p = 0; p < pages.size(); ++p) {
        for (int t = p == 0 ? sinks : 0; t < kPageTokens; ++t) {
            const double x =
                f16_to_f32(pages[p][channel * kPageTokens + static_cast<std::size_t>(t)]) - origin;
            sum += x;
            sum_squares += x * x;
            ++n;
        }
    }
    const double mean = sum / static_cast<double>(n);
    return std::max(0.0, sum_squares / static_cast<double>(n) - mean * mean);
}

// Counts invalid variances (negative, NaN) as 0, then adds the floor. False if all channels are zero or not
// finite.
bool add_floor(std::vector<double>& x) {
    double mean = 0;
    for (double& v : x) v = v > 0 ? v : 0;
    for (double v : x) mean += v / static_cast<double>(x.size());
    if (!std::isfinite(mean) || mean <= 0) return false;
    for (double& v : x) v += kFloor * mean;
    return true;
}

}  // namespace

void compute_smoothing(const HeadShape& shape, std::span<const float> query_squares,
                       std::span<const std::uint16_t* const> key_pages, int sinks,
                       std::span<float> smoothing) {
    const std::size_t dim = static_cast<std::size_t>(shape.head_dim);
    KVSPLIT_CHECK(query_squares.size() == dim && !key_pages.empty() &&
                  smoothing.size() == static_cast<std::size_t>(shape.padded_dim));
    std::vector<double> q(query_squares.begin(), query_squares.end()), k(dim);
    for (std::size_t c = 0; c < dim; ++c) k[c] = variance(key_pages, sinks, c);
    std::fill(smoothing.begin(), smoothing.end(), 1.0f);
    if (!add_floor(q) || !add_floor(k)) return;

    double log_mean = 0;
    for (std::size_t c = 0; c < dim; ++c) {
        q[c] = kExponent * std::log(q[c] / k[c]);
        log_mean += q[c] / static_cast<double>(dim);
    }
    for (std::size_t c = 0; c < dim; ++c) smoothing[c] = static_cast<float>(std::exp(q[c] - log_mean));
}

float prepare_query(const HeadShape& shape, const float* query, const float* smoothing, std::int8_t* codes) {
    const int dim = shape.padded_dim;
    std::vector<float> x(static_cast<std::size_t>(dim));
    for (int c = 0; c < shape.head_dim; ++c) x[static_cast<std::size_t>(c)] = query[c] / smoothing[c];
    hadamard(shape, x.data());
    float largest = 1e-12f;
    for (float v : x) largest = std::max(largest, std::fabs(v));  // skips NaN
    const float scale = largest / 127.0f;
    for (int c = 0; c < dim; ++c) {
        const float code = std::nearbyint(x[static_cast<std::size_t>(c)] / scale);
        codes[c] = static_cast<std::int8_t>(code > -127.0f ? std::min(code, 127.0f) : -127.0f);
    }
    return scale;
}

}  // namespace kvsplit::codec
