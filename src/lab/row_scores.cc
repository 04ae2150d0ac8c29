#include "lab/row_scores.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/check.h"
#include "base/cpu_features.h"

namespace kvsplit::lab {
namespace {

constexpr std::size_t kLanes = 16;
// Terms are summed as floats within a strip, pairwise, and as doubles over the strips: a sum over 262,144
// terms keeps a relative error near 1e-7.
constexpr std::size_t kStrip = 64 * kLanes;

// e^x for x <= 0 without branches, relative error 2e-7 (Cody-Waite reduction and the Cephes polynomial).
// Below -87 it returns about 1e-38 instead of a subnormal: negligible next to the row's largest term, which
// is 1.
[[gnu::always_inline]] inline float exp_negative(float x) {
    x = x < -87.0f ? -87.0f : x;                          // NaN passes through
    const float shifted = x * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: rounds to an integer in the low bits
    const float k = shifted - 12582912.0f;
    const float r = (x - k * 0.693359375f) - k * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const auto exponent = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(12582912.0f);
    return p * std::bit_cast<float>((exponent + 127) << 23);
}

[[gnu::always_inline]] inline float max_body(const float* x, std::size_t n) {
    float lanes[kLanes];
    for (std::size_t l = 0; l < kLanes; ++l) lanes[l] = -std::numeric_limits<float>::infinity();
    const std::size_t whole = n - n % kLanes;
    for (std::size_t i = 0; i < whole; i += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
    }
    float best = -std::numeric_limits<float>::infinity();
    for (std::size_t l = 0; l < kLanes; ++l) best = lanes[l] > best ? lanes[l] : best;
    for (std::size_t i = whole; i < n; ++i) best = x[i] > best ? x[i] : best;
    return best;
}

// Sum over n elements of term(i): strips are folded in halves down to the lanes, which are added as doubles.
// Plain loops over a small array, which compilers vectorise.
template <typename Term>
[[gnu::always_inline]] inline double strip_sum(std::size_t n, Term term) {
    double total = 0;
    float terms[kStrip];
    for (std::size_t begin = 0; begin < n; begin += kStrip) {
        const std::size_t size = n - begin < kStrip ? n - begin : kStrip;
        for (std::size_t i = 0; i < size; ++i) terms[i] = term(begin + i);
        for (std::size_t i = size; i < kStrip; ++i) terms[i] = 0;
        for (std::size_t half = kStrip / 2; half >= kLanes; half /= 2) {
            for (std::size_t i = 0; i < half; ++i) terms[i] += terms[i + half];
        }
        for (std::size_t l = 0; l < kLanes; ++l) total += terms[l];
    }
    return total;
}

struct ExpTerm {
    const float* x;
    float shift;
    [[gnu::always_inline]] float operator()(std::size_t i) const { return exp_negative(x[i] - shift); }
};

// P(i) (ln P(i) - ln Q(i)). The difference of the two normalisers is part of each term instead of being added
// at the end. So terms are small, and an error of P's sum is scaled by the divergence itself.
struct DivergenceTerm {
    const float *p, *q;
    float p_log_sum, log_sum_difference;
    [[gnu::always_inline]] float operator()(std::size_t i) const {
        return exp_negative(p[i] - p_log_sum) * ((p[i] - q[i]) - log_sum_difference);
    }
};

struct Loops {
    float (*max)(const float*, std::size_t);
    double (*sum_exp)(ExpTerm, std::size_t);
    double (*divergence)(DivergenceTerm, std::size_t);
};

float max_portable(const float* x, std::size_t n) { return max_body(x, n); }
double sum_exp_portable(ExpTerm term, std::size_t n) { return strip_sum(n, term); }
double divergence_portable(DivergenceTerm term, std::size_t n) { return strip_sum(n, term); }

#if defined(__x86_64__)
[[gnu::target("avx2")]] float max_avx2(const float* x, std::size_t n) { return max_body(x, n); }
[[gnu::target("avx2")]] double sum_exp_avx2(ExpTerm term, std::size_t n) { return strip_sum(n, term); }
[[gnu::target("avx2")]] double divergence_avx2(DivergenceTerm term, std::size_t n) {
    return strip_sum(n, term);
}
#endif

const Loops& loops() {
    static const Loops chosen = [] {
#if defined(__x86_64__)
        if (choose_isa() >= CpuIsa::kAvx2) return Loops{max_avx2, sum_exp_avx2, divergence_avx2};
#endif
        return Loops{max_portable, sum_exp_portable, divergence_portable};
    }();
    return chosen;
}

}  // namespace

RowScore score_row(std::span<const float> logits, Token target) {
    KVSPLIT_CHECK(target >= 0 && static_cast<std::size_t>(target) < logits.size());
    const float best = loops().max(logits.data(), logits.size());
    RowScore score;
    while (logits[static_cast<std::size_t>(score.top)] != best &&
           static_cast<std::size_t>(score.top) + 1 < logits.size()) {
        ++score.top;
    }
    score.log_sum_exp = best + std::log(loops().sum_exp({logits.data(), best}, logits.size()));
    score.nll = score.log_sum_exp - logits[static_cast<std::size_t>(target)];
    return score;
}

double divergence(std::span<const float> reference, const RowScore& reference_score,
                  std::span<const float> other, const RowScore& other_score) {
    KVSPLIT_CHECK(reference.size() == other.size());
    const double difference = reference_score.log_sum_exp - other_score.log_sum_exp;
    const DivergenceTerm term{reference.data(), other.data(), static_cast<float>(reference_score.log_sum_exp),
                              static_cast<float>(difference)};
    return loops().divergence(term, reference.size());
}

}  // namespace kvsplit::lab
