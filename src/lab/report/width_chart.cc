// Key bits against value bits: a heat map.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "lab/report/axes.h"
#include "lab/report/charts.h"
#include "lab/report/format.h"

namespace kvsplit::lab {
namespace {

constexpr int kShades = 8;  // heat0 ... heat7 of chart.css

struct Cell {
    int key_bits, value_bits;
    const SummaryRow* row;
};

std::vector<Cell> shown_cells(const Summary& summary) {
    std::vector<Cell> cells;
    for (const auto& row : summary.rows) {
        if (is_plain(row.spec) && row.kld().value_or(0) > 0) {
            cells.push_back({row.spec.key_bits, row.spec.value_bits, &row});
        }
    }
    return cells;
}

std::string describe(const Summary& summary) {
    std::string out =
        "A grid with a row for each width of the keys and a column for each width of the values; a darker "
        "cell "
        "is further from f16. Cells that mirror each other at the diagonal take the same bytes.";
    for (const Mirror& m : summary.mirrors) {
        out += fmt::format(" {} has {} thousandths of a nat, {} has {}, {:.1f} times as much.",
                           m.more_for_keys->name, format_kld(*m.more_for_keys->kld()),
                           m.more_for_values->name, format_kld(*m.more_for_values->kld()), m.ratio());
    }
    return out;
}

class WidthChart {
  public:
    WidthChart(const Summary& summary, const std::vector<Cell>& cells, double width)
        : summary_(summary),
          cells_(cells),
          widths_(widths_of(cells)),
          side_width_((width - kLeft - 2) / double(widths_.size())),
          side_height_(std::clamp(0.5 * side_width_, 36.0, 52.0)),
          svg_(width, kTop + double(widths_.size()) * side_height_ + 44, "Key bits against value bits",
               describe(summary)) {
        const auto [low, high] =
            std::minmax_element(cells.begin(), cells.end(),
                                [](const Cell& a, const Cell& b) { return *a.row->kld() < *b.row->kld(); });
        low_ = std::log(*low->row->kld());
        high_ = std::max(low_ + 1e-6, std::log(*high->row->kld()));
    }

    Svg draw() {
        draw_headings();
        for (std::size_t i = 0; i < widths_.size(); ++i) {
            for (std::size_t j = 0; j < widths_.size(); ++j) draw_cell(i, j);
        }
        if (!summary_.mirrors.empty()) draw_mirror(summary_.mirrors.front());
        return std::move(svg_);
    }

  private:
    static constexpr double kLeft = 66, kTop = 44, kGap = 2;

    // All widths that one of the sides has, the widest first: rows and columns alike, so that mirrored caches
    // are mirrored cells.
    static std::vector<int> widths_of(const std::vector<Cell>& cells) {
        std::set<int, std::greater<>> all;
        for (const Cell& c : cells) all.insert({c.key_bits, c.value_bits});
        return {all.begin(), all.end()};
    }

    Point corner(std::size_t i, std::size_t j) const {
        return {kLeft + double(j) * side_width_, kTop + double(i) * side_height_};
    }

    void draw_headings() {
        svg_.text({0, kTop - 26}, Anchor::kStart, "axis", "mean divergence from f16, 10⁻³ nats");
        for (std::size_t j = 0; j < widths_.size(); ++j) {
            const double x = corner(0, j).x + side_width_ / 2;
            const bool roomy = side_width_ > 76;
            svg_.text({x, kTop - 8}, Anchor::kMiddle, "tick",
                      roomy ? fmt::format("{}-bit values", widths_[j]) : fmt::format("v{}", widths_[j]));
            svg_.text({kLeft - 8, corner(j, 0).y + side_height_ / 2 + 0.34 * kTickSize}, Anchor::kEnd, "tick",
                      fmt::format("{}-bit keys", widths_[j]));
        }
    }

    void draw_cell(std::size_t i, std::size_t j) {
        const Point at = corner(i, j);
        const double width = side_width_ - kGap, height = side_height_ - kGap;
        const auto cell = std::find_if(cells_.begin(), cells_.end(), [&](const Cell& c) {
            return c.key_bits == widths_[i] && c.value_bits == widths_[j];
        });
        if (cell == cells_.end()) return svg_.rect(at, width, height, "empty");
        const double kld = *cell->row->kld();
        const double part = (std::log(kld) - low_) / (high_ - low_);
        const int shade = std::clamp(static_cast<int>(part * kShades), 0, kShades - 1);
        svg_.rect(at, width, height, fmt::format("heat heat{}", shade),
                  fmt::format("{}: {} thousandths of a nat, {}", cell->row->name, format_kld(kld),
                              format_bytes(double(cell->row->bytes()))));
        svg_.text({at.x + width / 2, at.y + height / 2 + 0.34 * kLabelSize}, Anchor::kMiddle,
                  fmt::format("cell on-heat{}", shade), format_kld(kld));
    }

    void draw_mirror(const Mirror& mirror) {
        for (const SummaryRow* row : {mirror.more_for_keys, mirror.more_for_values}) {
            const auto i = std::find(widths_.begin(), widths_.end(), row->spec.key_bits) - widths_.begin();
            const auto j = std::find(widths_.begin(), widths_.end(), row->spec.value_bits) - widths_.begin();
            svg_.rect(corner(static_cast<std::size_t>(i), static_cast<std::size_t>(j)), side_width_ - kGap,
                      side_height_ - kGap, "outline");
        }
        const double y = kTop + double(widths_.size()) * side_height_;
        svg_.text({kLeft, y + 18}, Anchor::kStart, "note",
                  fmt::format("Outlined: the same bytes, but {} diverges {:.1f} times",
                              mirror.more_for_values->name, mirror.ratio()));
        svg_.text({kLeft, y + 34}, Anchor::kStart, "note",
                  fmt::format("as much as {}.", mirror.more_for_keys->name));
    }

    const Summary& summary_;
    const std::vector<Cell>& cells_;
    std::vector<int> widths_;
    double side_width_, side_height_;
    double low_ = 0, high_ = 1;  // ln of the least and the most divergence
    Svg svg_;
};

}  // namespace

Chart width_chart(const Summary& summary, double width) {
    const auto cells = shown_cells(summary);
    if (cells.size() < 2) return std::nullopt;
    return WidthChart(summary, cells, width).draw();
}

}  // namespace kvsplit::lab
