#include "lab/report/scale.h"

#include <algorithm>
#include <cmath>

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
    Scale out;
    out.log_ = true;
    const double first = std::floor(std::log10(low) + 1e-9);
    const double last = std::max(first + 1, std::ceil(std::log10(high) - 1e-9));
    out.low_ = std::pow(10.0, first);
    out.high_ = std::pow(10.0, last);
    for (double e = first; e <= last; ++e) out.marks_.push_back(std::pow(10.0, e));
    out.from_ = from;
    out.to_ = to;
    return out;
}

double Scale::operator()(double value) const {
    const double part =
        log_ ? std::log(value / low_) / std::log(high_ / low_) : (value - low_) / (high_ - low_);
    return from_ + part * (to_ - from_);
}

}  // namespace kvsplit::lab
