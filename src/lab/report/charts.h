// The charts of a comparison. Each is laid out for a width, so that a narrow screen gets its own chart
// instead of a shrunken one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/report/summary.h"
#include "lab/report/svg.h"

namespace kvsplit::lab {

constexpr double kWideChart = 560, kNarrowChart = 360;  // px

// nullopt if the figures were not measured.
using Chart = std::optional<Svg>;

// Bytes of the cache against mean divergence from f16, with the Pareto front.
Chart divergence_chart(const Summary& summary, double width);

// Mean divergence for key widths (rows) and value widths (columns).
Chart width_chart(const Summary& summary, double width);

// Bytes by kind: keys, values, the exact part.
Chart memory_chart(const Summary& summary, double width);

// Tokens per second against the tokens in the cache.
Chart speed_chart(const Summary& summary, SpeedResult::Test test, double width);

struct NamedChart {
    std::string name;  // of the file, and in ids: "divergence"
    Chart wide, narrow;
};
// All charts whose figures were measured.
std::vector<NamedChart> all_charts(const Summary& summary);

}  // namespace kvsplit::lab
