// Memory against divergence.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "lab/report/axes.h"
#include "lab/report/charts.h"
#include "lab/report/format.h"

namespace kvsplit::lab {
namespace {

constexpr double kRadius = 4.5;

struct Unit {
    const char* name;
    double bytes;
};
Unit unit_for(double bytes) {
    constexpr double kKi = 1024;
    if (bytes >= 10 * kKi * kKi * kKi) return {"GiB", kKi * kKi * kKi};
    return bytes >= 10 * kKi ? Unit{bytes >= kKi * kKi ? "MiB" : "KiB", bytes >= kKi * kKi ? kKi * kKi : kKi}
                             : Unit{"bytes", 1};
}

// The rows with a divergence above zero, by size; the front comes first, as it gets the best places for
// labels.
std::vector<const SummaryRow*> shown_rows(const Summary& summary) {
    std::vector<const SummaryRow*> rows;
    for (const auto& row : summary.rows) {
        if (row.kld().value_or(0) > 0 && row.bytes() > 0) rows.push_back(&row);
    }
    std::sort(rows.begin(), rows.end(), [](const SummaryRow* a, const SummaryRow* b) {
        return a->on_front != b->on_front ? a->on_front : a->bytes() < b->bytes();
    });
    return rows;
}

std::string describe(const Summary& summary, const std::vector<const SummaryRow*>& rows) {
    std::string out = fmt::format(
        "Each point is a cache of {} tokens: bytes on the horizontal axis, mean divergence from f16 on the "
        "vertical, logarithmic one. Lower left is better. From small to large, the caches that no other "
        "beats:",
        format_count(summary.context));
    for (const auto* row : rows) {
        if (row->on_front) {
            out += fmt::format(" {} ({}, {} thousandths of a nat)", row->name,
                               format_bytes(double(row->bytes())), format_kld(*row->kld()));
        }
    }
    return out + ".";
}

class DivergenceChart {
  public:
    DivergenceChart(const Summary& summary, double width)
        : summary_(summary),
          rows_(shown_rows(summary)),
          plot_{52, 40, width - 14, std::min(380.0, 100 + 0.62 * width) - 46},
          svg_(width, plot_.bottom + 46, "Memory against divergence", describe(summary, rows_)) {}

    Svg draw() {
        make_scales();
        draw_axes();
        std::vector<Point> points;
        for (const auto* row : rows_) points.push_back({x_(double(row->bytes()) / unit_.bytes), y_of(*row)});
        std::vector<Point> front;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            if (rows_[i]->on_front) front.push_back(points[i]);
        }
        svg_.polyline(front, "front");
        // Draw the front above the others.
        for (std::size_t i = rows_.size(); i-- > 0;) draw_point(*rows_[i], points[i]);
        draw_labels(points, front);
        return std::move(svg_);
    }

  private:
    void make_scales() {
        const auto [low, high] = std::minmax_element(
            rows_.begin(), rows_.end(), [](const auto* a, const auto* b) { return *a->kld() < *b->kld(); });
        y_ = Scale::logarithmic(1000 * *(*low)->kld(), 1000 * *(*high)->kld(), plot_.bottom, plot_.top);
        const auto [least, most] = std::minmax_element(
            rows_.begin(), rows_.end(), [](const auto* a, const auto* b) { return a->bytes() < b->bytes(); });
        unit_ = unit_for(double((*most)->bytes()));
        x_ = Scale::linear(0.95 * double((*least)->bytes()) / unit_.bytes,
                           1.05 * double((*most)->bytes()) / unit_.bytes, plot_.left, plot_.right, 5);
    }

    void draw_axes() {
        draw_y_axis(
            svg_, plot_, y_, [](double v) { return fmt::format("{:g}", v); },
            "mean divergence from f16, 10⁻³ nats");
        draw_x_axis(
            svg_, plot_, x_, [](double v) { return fmt::format("{:g}", v); },
            fmt::format("cache of {} tokens, {}", format_count(summary_.context), unit_.name));
        const double f16 = double(summary_.rows.front().kv.f16_total);
        svg_.text({plot_.right, plot_.top - 18}, Anchor::kEnd, "note",
                  fmt::format("f16 takes {}", format_bytes(f16)));
        svg_.text({plot_.left + 8, plot_.bottom - 8}, Anchor::kStart, "note", "↙ better");
    }

    double y_of(const SummaryRow& row) const { return y_(1000 * *row.kld()); }

    void draw_point(const SummaryRow& row, Point at) {
        const Divergence& d = *row.quality->result.vs_f16;
        const double low = std::max(d.kld_mean - d.kld_stderr, y_.low() / 1000);
        svg_.line({at.x, y_(1000 * low)}, {at.x, y_(1000 * (d.kld_mean + d.kld_stderr))}, "error");
        const bool best = &row == summary_.everyday;
        if (best) svg_.circle(at, kRadius + 4, "ring");
        svg_.circle(
            at, kRadius,
            best           ? "point best"
            : row.on_front ? "point"
                           : "point beaten",
            fmt::format("{}: {}, {} ± {} thousandths of a nat", row.name, format_bytes(double(row.bytes())),
                        format_kld(d.kld_mean), format_kld(d.kld_stderr)));
    }

    void draw_labels(const std::vector<Point>& points, const std::vector<Point>& front) {
        std::vector<Mark> marks;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            marks.push_back({points[i], is_best(i) ? kRadius + 4 : kRadius, rows_[i]->name});
        }
        const auto labels = place_labels(marks, front, kLabelSize, plot_);
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            svg_.text(labels[i].at, labels[i].anchor,
                      is_best(i)           ? "label best"
                      : rows_[i]->on_front ? "label"
                                           : "label beaten",
                      rows_[i]->name, plot_.right - plot_.left);
        }
    }

    bool is_best(std::size_t i) const { return rows_[i] == summary_.everyday; }

    const Summary& summary_;
    std::vector<const SummaryRow*> rows_;
    Box plot_;
    Svg svg_;
    Scale x_, y_;
    Unit unit_{};
};

}  // namespace

Chart divergence_chart(const Summary& summary, double width) {
    if (shown_rows(summary).empty()) return std::nullopt;
    return DivergenceChart(summary, width).draw();
}

}  // namespace kvsplit::lab
