// Tokens per second against the tokens in the cache.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "lab/report/axes.h"
#include "lab/report/charts.h"
#include "lab/report/format.h"

namespace kvsplit::lab {
namespace {

struct Series {
    const SummaryRow* row;
    std::vector<const SpeedResult*> results;  // by depth
    const char* classes;
};

std::vector<Series> series_of(const Summary& summary, SpeedResult::Test test) {
    std::vector<Series> out;
    for (const auto& row : summary.rows) {
        Series series{&row, {}, "other"};
        if (&row == summary.reference) series.classes = "reference";
        if (&row == summary.everyday) series.classes = "best";
        for (const int depth : summary.results.settings.contexts) {
            if (const auto* r = summary.results.speed_of(row.spec, test, depth)) series.results.push_back(r);
        }
        if (!series.results.empty()) out.push_back(std::move(series));
    }
    // Highlighted series are drawn last, above the others.
    std::stable_partition(out.begin(), out.end(),
                          [](const Series& s) { return std::string_view(s.classes) == "other"; });
    return out;
}

std::string title_of(SpeedResult::Test test) {
    return test == SpeedResult::Test::kDecode ? "Decoding speed" : "Prefill speed";
}

std::string describe(const std::vector<Series>& all) {
    std::string out = "One line per cache: tokens per second against depth, the tokens already in the cache.";
    for (const Series& s : all) {
        out += fmt::format(" {}:", s.row->name);
        for (const auto* r : s.results) {
            out += fmt::format(" {:.0f} at depth {}", r->tokens_per_s, format_count(r->depth));
        }
        out += ".";
    }
    return out;
}

// px for the lines' names beside their ends, at most `room`: longer names are set narrower.
double names_width(const std::vector<Series>& all, double room) {
    double widest = 0;
    for (const Series& s : all) {
        const bool bold = std::string_view(s.classes) != "other";
        widest = std::max(widest, text_width(s.row->name, kLabelSize, bold));
    }
    return std::min(widest, room);
}

std::string y_mark(double tokens_per_s) { return format_count(static_cast<long long>(tokens_per_s)); }

class SpeedChart {
  public:
    SpeedChart(const Summary& summary, SpeedResult::Test test, std::vector<Series> all, double width)
        : contexts_(summary.results.settings.contexts),
          all_(std::move(all)),
          plot_{0, 40, width - names_width(all_, 0.4 * width) - 4, 250},
          svg_(width, plot_.bottom + 46, title_of(test), describe(all_)) {
        double most = 0;
        for (const auto& s : all_) {
            for (const auto* r : s.results) most = std::max(most, r->tokens_per_s);
        }
        y_ = Scale::linear(0, most, plot_.bottom, plot_.top, 5);
        plot_.left = left_of_plot(y_, y_mark);
    }

    Svg draw() {
        draw_axes();
        for (const auto& s : all_) draw_series(s);
        draw_labels();
        return std::move(svg_);
    }

  private:
    // A logarithmic scale of depths, marked at those measured.
    double x(int depth) const {
        const double low = std::log2(contexts_.front()), high = std::log2(contexts_.back());
        const double inner = plot_.right - plot_.left - 24;
        return plot_.left + 12 + (high > low ? (std::log2(depth) - low) / (high - low) : 0.5) * inner;
    }

    void draw_axes() {
        draw_y_axis(svg_, plot_, y_, y_mark, "tokens per second");
        svg_.line({plot_.left, plot_.bottom}, {plot_.right, plot_.bottom}, "base");
        for (const int context : contexts_) {
            svg_.line({x(context), plot_.bottom}, {x(context), plot_.bottom + 4}, "base");
            svg_.text({x(context), plot_.bottom + 17}, Anchor::kMiddle, "tick", format_count(context));
        }
        svg_.text({plot_.right, plot_.bottom + 36}, Anchor::kEnd, "axis", "tokens in the cache");
    }

    void draw_series(const Series& s) {
        std::vector<Point> points;
        for (const auto* r : s.results) points.push_back({x(r->depth), y_(r->tokens_per_s)});
        svg_.polyline(points, fmt::format("series {}", s.classes));
        for (std::size_t i = 0; i < points.size(); ++i) {
            const auto* r = s.results[i];
            std::string tip = fmt::format("{} at depth {}: {:.0f} tokens/s", s.row->name,
                                          format_count(r->depth), r->tokens_per_s);
            if (r->stddev > 0) tip += fmt::format(" ± {:.0f}", r->stddev);
            svg_.circle(points[i], 3, fmt::format("dot {}", s.classes), tip);
        }
    }

    // Highlighted lines are always labelled, others if there is room beside their ends.
    void draw_labels() {
        std::vector<const Series*> labelled;
        std::vector<double> ends;
        const auto end_of = [&](const Series& s) { return y_(s.results.back()->tokens_per_s); };
        for (auto s = all_.rbegin(); s != all_.rend(); ++s) {  // highlighted ones come last
            const bool room = std::all_of(ends.begin(), ends.end(), [&](double other) {
                return std::abs(other - end_of(*s)) > kLabelSize;
            });
            if (!room && std::string_view(s->classes) == "other") continue;
            labelled.push_back(&*s);
            ends.push_back(end_of(*s));
        }
        const auto places = spread(ends, kLabelSize + 1, plot_.top, plot_.bottom);
        for (std::size_t i = 0; i < labelled.size(); ++i) {
            svg_.text({plot_.right + 2, places[i] + 0.34 * kLabelSize}, Anchor::kStart,
                      fmt::format("label {}", labelled[i]->classes), labelled[i]->row->name,
                      svg_.width() - plot_.right - 2);
        }
    }

    const std::vector<int>& contexts_;
    std::vector<Series> all_;
    Box plot_;
    Svg svg_;
    Scale y_;
};

}  // namespace

Chart speed_chart(const Summary& summary, SpeedResult::Test test, double width) {
    auto all = series_of(summary, test);
    if (all.empty()) return std::nullopt;
    return SpeedChart(summary, test, std::move(all), width).draw();
}

}  // namespace kvsplit::lab
