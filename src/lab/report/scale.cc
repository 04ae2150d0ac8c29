#include "lab/report/scale.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace kvsplit::lab {

Scale Scale::linear(double low, double high, double from, double to, int marks) {
    Scale out;
    if (high <= low) high = low + 1;
    const double rough = (high - low) / std::max(marks, 1);
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    double step = 10 * power;
    for (const double factor : {5.0, 2.0, 1.0}) {
        if (factor * power >= rough * 0.999) step = factor * power;
    }
    const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
    out.low_ = first * step;
    out.high_ = last * step;
    for (double i = first; i <= last; ++i) out.marks_.push_back(i * step);
    out.from_ = from;
    out.to_ = to;
    return out;
}

Scale Scale::logarithmic(double low, double high, double from, double to) {
    // The 1-2-5 steps around the range. Marks the powers of ten inside it, or all steps if these are few.
    std::vector<double> steps;
    for (double e = std::floor(std::log10(low)) - 1; e <= std::ceil(std::log10(high)) + 1; ++e) {
        for (const double factor : {1.0, 2.0, 5.0}) steps.push_back(factor * std::pow(10.0, e));
    }
    const auto first = std::upper_bound(steps.begin(), steps.end(), low * (1 + 1e-9)) - 1;
    const auto last = std::lower_bound(first + 1, steps.end(), high * (1 - 1e-9));
    Scale out;
    out.log_ = true;
    out.low_ = *first;
    out.high_ = *last;
    out.from_ = from;
    out.to_ = to;
    const auto is_power = [](double step) {
        const double e = std::log10(step);
        return std::abs(e - std::round(e)) < 1e-9;
    };
    std::copy_if(first, last + 1, std::back_inserter(out.marks_), is_power);
    if (out.marks_.size() < 2) out.marks_.assign(first, last + 1);
    return out;
}

double Scale::operator()(double value) const {
    const double part =
        log_ ? std::log(value / low_) / std::log(high_ / low_) : (value - low_) / (high_ - low_);
    return from_ + part * (to_ - from_);
}

}  // namespace kvsplit::lab
