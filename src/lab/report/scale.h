// Scale: maps values to positions along one side of a chart, and picks the round values to mark.
#pragma once

#include <string>
#include <vector>

namespace kvsplit::lab {

class Scale {
  public:
    // Both widen [low, high] to round values. from and to: px of low and high; to may be less than from.
    static Scale linear(double low, double high, double from, double to, int marks);
    // low and high above zero.
    static Scale logarithmic(double low, double high, double from, double to);

    double operator()(double value) const;
    double low() const { return low_; }
    double high() const { return high_; }
    const std::vector<double>& marks() const { return marks_; }

  private:
    double low_ = 0, high_ = 1, from_ = 0, to_ = 1;
    bool log_ = false;
    std::vector<double> marks_;
};

}  // namespace kvsplit::lab
