// Bytes of each cache by kind.
#include <fmt/core.h>

#include <algorithm>

#include "lab/report/axes.h"
#include "lab/report/charts.h"
#include "lab/report/format.h"

namespace kvsplit::lab {
namespace {

constexpr double kTop = 44, kBar = 15, kStep = 22, kSums = 128;

std::string describe(const Summary& summary) {
    std::string out =
        fmt::format("Bars of the bytes that a cache of {} tokens takes: keys, values, exact part.",
                    format_count(summary.context));
    for (const auto& row : summary.rows) {
        out += fmt::format(" {}: {}.", row.name, format_bytes(double(row.bytes())));
    }
    return out;
}

struct Part {
    const char* name;
    const char* classes;
    std::size_t KvBytes::*bytes;
};
constexpr Part kParts[] = {{"keys", "keys", &KvBytes::key},
                           {"values", "values", &KvBytes::value},
                           {"exact part", "exact", &KvBytes::exact}};

void draw_legend(Svg& svg, double left) {
    double x = left;
    for (const Part& part : kParts) {
        svg.rect({x, 8}, 11, 11, part.classes);
        svg.text({x + 16, 18}, Anchor::kStart, "tick", part.name);
        x += 16 + text_width(part.name, kTickSize) + 18;
    }
}

}  // namespace

Chart memory_chart(const Summary& summary, double width) {
    std::vector<const SummaryRow*> rows;
    double most = 0, names = 0;
    for (const auto& row : summary.rows) {
        if (row.bytes() == 0) continue;
        rows.push_back(&row);
        most = std::max(most, double(row.bytes()));
        names = std::max(names, text_width(row.name, kLabelSize, &row == summary.everyday));
    }
    if (rows.empty()) return std::nullopt;
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto* a, const auto* b) { return a->bytes() > b->bytes(); });

    // Bars get at least a fifth of the width; long names are set narrower. Sums follow the bars.
    const double left = std::min(names + 10, 0.8 * width - kSums), right = width - kSums;
    Svg svg(width, kTop + kStep * double(rows.size()), "What a cache takes", describe(summary));
    draw_legend(svg, left);
    double y = kTop - 8;
    for (const auto* row : rows) {
        const bool best = row == summary.everyday;
        const double middle = y + kBar / 2 + 0.34 * kLabelSize;
        svg.text({left - 8, middle}, Anchor::kEnd, best ? "label best" : "label", row->name, left - 8);
        double x = left;
        for (const Part& part : kParts) {
            const double length = double(row->kv.bytes.*part.bytes) / most * (right - left);
            if (length <= 0) continue;
            svg.rect({x, y}, length, kBar, part.classes,
                     fmt::format("{}, {}: {}", row->name, part.name,
                                 format_bytes(double(row->kv.bytes.*part.bytes))));
            x += length;
        }
        const double saved = row->kv.saved_pct();
        svg.text({x + 8, middle}, Anchor::kStart, "tick",
                 saved > 0 ? fmt::format("{} (−{:.0f} %)", format_bytes(double(row->bytes())), saved)
                           : format_bytes(double(row->bytes())),
                 kSums - 8);
        y += kStep;
    }
    return svg;
}

}  // namespace kvsplit::lab
