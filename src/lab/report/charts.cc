#include "lab/report/charts.h"

namespace kvsplit::lab {

std::vector<NamedChart> all_charts(const Summary& summary) {
    std::vector<NamedChart> out;
    const auto add = [&](const char* name, auto&& draw) {
        NamedChart chart{name, draw(kWideChart), draw(kNarrowChart)};
        if (chart.wide) out.push_back(std::move(chart));
    };
    add("divergence", [&](double width) { return divergence_chart(summary, width); });
    add("widths", [&](double width) { return width_chart(summary, width); });
    add("memory", [&](double width) { return memory_chart(summary, width); });
    add("decode", [&](double width) { return speed_chart(summary, SpeedResult::Test::kDecode, width); });
    add("prefill", [&](double width) { return speed_chart(summary, SpeedResult::Test::kPrefill, width); });
    return out;
}

}  // namespace kvsplit::lab
