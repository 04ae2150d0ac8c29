#include "lab/comparison.h"

#include <algorithm>
#include <cmath>

namespace kvsplit::lab {
namespace {

// Linear between the two nearest ranks. sorted is not empty.
double quantile(const std::vector<float>& sorted, double q) {
    const double rank = q * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(rank);
    const auto above = std::min(below + 1, sorted.size() - 1);
    const double part = rank - static_cast<double>(below);
    return (1 - part) * sorted[below] + part * sorted[above];
}

}  // namespace

void Comparison::Moments::add(double x) {
    ++count;
    const double delta = x - average;
    average += delta / static_cast<double>(count);
    squares += delta * (x - average);
}

Mean Comparison::Moments::mean() const {
    if (count < 2) return {average, 0};
    const auto n = static_cast<double>(count);
    return {average, std::sqrt(squares / (n - 1) / n)};
}

void Comparison::add(const TokenScore& score) { nll_.add(score.nll); }

void Comparison::add(const TokenScore& score, const TokenDifference& difference) {
    add(score);
    nll_change_.add(difference.nll_change);
    kld_.add(difference.kld);
    klds_.push_back(static_cast<float>(difference.kld));
    p_change_squares_ += difference.p_change * difference.p_change;
    same_top_ += difference.same_top;
}

Mean Comparison::perplexity() const {
    const Mean mean = nll();
    const double ppl = std::exp(mean.value);
    return {ppl, ppl * mean.stderr_};  // first order: d e^x = e^x dx
}

std::optional<Divergence> Comparison::divergence() const {
    if (klds_.empty() || klds_.size() != count()) return std::nullopt;
    const auto n = static_cast<double>(count());
    std::vector<float> sorted = klds_;
    std::sort(sorted.begin(), sorted.end());
    const Mean change = nll_change_.mean(), kld = kld_.mean();

    Divergence out;
    out.ppl_change_pct = 100 * std::expm1(change.value);
    out.ppl_change_stderr_pct = 100 * std::exp(change.value) * change.stderr_;
    out.kld_mean = kld.value;
    out.kld_stderr = kld.stderr_;
    out.kld_median = quantile(sorted, 0.5);
    out.kld_p99 = quantile(sorted, 0.99);
    out.kld_p999 = quantile(sorted, 0.999);
    out.top1_agreement = static_cast<double>(same_top_) / n;
    out.rms_dp = std::sqrt(p_change_squares_ / n);
    return out;
}

}  // namespace kvsplit::lab
