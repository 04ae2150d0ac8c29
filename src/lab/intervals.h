// 95 % confidence intervals of what tasks measure: shares, means, and paired differences of both.
#pragma once

#include <span>

namespace kvsplit::lab {

// low and high are NaN where there are too few observations to tell.
struct Interval {
    double value = 0, low = 0, high = 0;
};

// A share of n > 0 trials: Wilson's interval, which stays inside [0, 1] and is not empty at 0 and n.
Interval share_interval(int successes, int n);

// The difference of two shares of the same n > 0 trials; `gained` succeeded only now and `lost` only
// before (McNemar's table). Agresti and Min (2005): half a trial is added to each of the table's four cells,
// so that no flip at all does not read as certainty.
Interval share_change_interval(int gained, int lost, int n);

// The mean of values whose errors may correlate within a group: groups[i] is the group of values[i]; members
// of a group are adjacent. Student's t with (number of groups - 1) degrees of freedom.
Interval mean_interval(std::span<const double> values, std::span<const int> groups);

}  // namespace kvsplit::lab
