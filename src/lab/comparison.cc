#include "lab/comparison.h"

#include <algorithm>
#include <cmath>

namespace kvsplit::lab {
namespace {

// Whether a exceeds b by two standard errors of their difference.
bool exceeds(const Mean& a, const Mean& b) {
    return a.value - b.value > 2 * std::hypot(a.stderr_, b.stderr_);
}

// The q quantile of values, linear between the two nearest ranks, moved by a number of its standard errors:
// how many of n values lie below the true quantile is binomial, so the rank has an error of sqrt(q (1 - q) /
// n) whatever the distribution. values is not empty; it is left in another order.
double quantile(std::vector<float>& values, double q, double errors = 0) {
    const double moved = q + errors * std::sqrt(q * (1 - q) / static_cast<double>(values.size()));
    const double rank = std::clamp(moved, 0.0, 1.0) * static_cast<double>(values.size() - 1);
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank);
    std::nth_element(values.begin(), at, values.end());
    const double part = rank - std::floor(rank);
    if (part == 0) return *at;
    return (1 - part) * *at + part * *std::min_element(at + 1, values.end());
}

}  // namespace

void RunningMean::add(double x) {
    ++count_;
    const double delta = x - average_;
    average_ += delta / static_cast<double>(count_);
    squares_ += delta * (x - average_);
}

Mean RunningMean::mean() const {
    if (count_ < 2) return {average_, 0};
    const auto n = static_cast<double>(count_);
    return {average_, std::sqrt(squares_ / (n - 1) / n)};
}

Mean perplexity(const Mean& nll) {
    const double ppl = std::exp(nll.value);
    return {ppl, ppl * nll.stderr_};  // first order: d e^x = e^x dx
}

void Comparison::add(const TokenDifference& difference) {
    nll_change_.add(difference.nll_change);
    kld_.add(difference.kld);
    klds_.push_back(static_cast<float>(difference.kld));
    p_change_squared_.add(difference.p_change * difference.p_change);
    same_top_.add(difference.same_top);
}

std::optional<Divergence> Comparison::divergence() const {
    if (klds_.empty()) return std::nullopt;
    const Mean change = nll_change_.mean(), kld = kld_.mean();
    std::vector<float> klds = klds_;
    Divergence out;
    out.ppl_change_pct = 100 * std::expm1(change.value);
    out.ppl_change_stderr_pct = 100 * std::exp(change.value) * change.stderr_;
    out.kld_mean = kld.value;
    out.kld_stderr = kld.stderr_;
    out.kld_median = quantile(klds, 0.5);
    out.kld_p99 = quantile(klds, 0.99);
    out.kld_p999 = quantile(klds, 0.999);
    out.top1_agreement = same_top_.mean().value;
    out.rms_dp = std::sqrt(p_change_squared_.mean().value);
    return out;
}

BelowFloor Comparison::below(const Comparison& floor) const {
    // If their intervals of sqrt(2) errors do not overlap, two quantiles differ by two errors of the
    // difference.
    std::vector<float> klds = klds_, floor_klds = floor.klds_;
    const auto quantile_below = [&](double q) {
        return quantile(klds, q, -std::sqrt(2.0)) <= quantile(floor_klds, q, std::sqrt(2.0));
    };
    const Mean change = nll_change_.mean();
    BelowFloor out;
    out.ppl_change = std::abs(change.value) <= 2 * change.stderr_;
    out.kld_mean = !exceeds(kld_.mean(), floor.kld_.mean());
    out.kld_median = quantile_below(0.5);
    out.kld_p99 = quantile_below(0.99);
    out.kld_p999 = quantile_below(0.999);
    out.top1_agreement = !exceeds(floor.same_top_.mean(), same_top_.mean());
    out.rms_dp = !exceeds(p_change_squared_.mean(), floor.p_change_squared_.mean());
    return out;
}

}  // namespace kvsplit::lab
