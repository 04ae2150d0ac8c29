#include "lab/intervals.h"

#include <cmath>
#include <limits>

#include "base/check.h"

namespace kvsplit::lab {
namespace {

constexpr double kZ = 1.959963984540054;  // 97.5 % quantile of the normal distribution

// 97.5 % quantile of Student's t (Cornish and Fisher's series; within 0.05 % from 4 degrees of freedom on).
// The first three are exact, since the series is inaccurate there.
double student_quantile(int degrees) {
    constexpr double kSmall[] = {12.706204736432095, 4.302652729911275, 3.182446305284263};
    if (degrees <= 3) return kSmall[degrees - 1];
    const double v = degrees, z2 = kZ * kZ;
    const double g1 = (z2 + 1) / 4;
    const double g2 = ((5 * z2 + 16) * z2 + 3) / 96;
    const double g3 = (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
    const double g4 = ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160;
    return kZ * (1 + (g1 + (g2 + (g3 + g4 / v) / v) / v) / v);
}

}  // namespace

Interval share_interval(int successes, int n) {
    KVSPLIT_CHECK(n > 0 && successes >= 0 && successes <= n);
    const double p = static_cast<double>(successes) / n, z2 = kZ * kZ / n;
    const double centre = p + z2 / 2;
    const double half = kZ * std::sqrt(p * (1 - p) / n + z2 / (4 * n));
    return {p, (centre - half) / (1 + z2), (centre + half) / (1 + z2)};
}

Interval share_change_interval(int gained, int lost, int n) {
    KVSPLIT_CHECK(n > 0 && gained >= 0 && lost >= 0 && gained + lost <= n);
    const double total = n + 2, up = gained + 0.5, down = lost + 0.5;
    const double centre = (up - down) / total;
    const double half = kZ * std::sqrt(up + down - (up - down) * (up - down) / total) / total;
    return {static_cast<double>(gained - lost) / n, centre - half, centre + half};
}

Interval mean_interval(std::span<const double> values, std::span<const int> groups) {
    KVSPLIT_CHECK(!values.empty() && values.size() == groups.size());
    const auto n = static_cast<double>(values.size());
    double mean = 0;
    for (const double x : values) mean += x / n;
    // The groups' sums are independent, so their variances add up.
    double squares = 0, sum = 0;
    int n_groups = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        sum += values[i] - mean;
        if (i + 1 < values.size() && groups[i + 1] == groups[i]) continue;
        squares += sum * sum;
        sum = 0;
        ++n_groups;
    }
    if (n_groups < 2) {
        constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
        return {mean, kUnknown, kUnknown};
    }
    const double stderr_ = std::sqrt(squares * n_groups / (n_groups - 1)) / n;
    const double half = student_quantile(n_groups - 1) * stderr_;
    return {mean, mean - half, mean + half};
}

}  // namespace kvsplit::lab
