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

constexpr int kShades = 8;              // heat0 ... heat7 of chart.css
constexpr std::size_t kMaxMirrors = 4;  // described below the map

std::vector<const SummaryRow*> shown_rows(const Summary& summary) {
    std::vector<const SummaryRow*> rows;
    for (const auto& row : summary.rows) {
        if (is_plain(row.spec) && row.kld().value_or(0) > 0 && row.bytes() > 0) rows.push_back(&row);
    }
    return rows;
}

std::string sentence(const Mirror& m) {
    return fmt::format("Same bytes: {} diverges {:.1f} times as much as {}", m.more_for_values->name,
                       m.ratio(), m.more_for_keys->name);
}

std::string describe(const Summary& summary) {
    std::string out =
        "A grid with a row for each key width and a column for each value width; a stronger colour is "
        "further from f16.";
    for (const Mirror& m : summary.mirrors) out += fmt::format(" {}.", sentence(m));
    return out;
}

class WidthChart {
  public:
    WidthChart(const Summary& summary, std::vector<const SummaryRow*> rows, double width)
        : summary_(summary),
          rows_(std::move(rows)),
          key_bits_(widths_of(rows_, &KvSpec::key_bits)),
          value_bits_(widths_of(rows_, &KvSpec::value_bits)),
          cell_width_((width - kLeft) / double(value_bits_.size())),
          bottom_(kTop + double(key_bits_.size()) * kCellHeight),
          svg_(width, bottom_ + 12 + kLineHeight * double(std::min(kMaxMirrors, summary.mirrors.size())),
               "Key bits against value bits", describe(summary)) {
        const auto [low, high] = std::minmax_element(
            rows_.begin(), rows_.end(), [](const auto* a, const auto* b) { return *a->kld() < *b->kld(); });
        low_ = std::log(*(*low)->kld());
        high_ = std::max(low_ + 1e-6, std::log(*(*high)->kld()));
    }

    Svg draw() {
        draw_headings();
        for (const int key : key_bits_) {
            for (const int value : value_bits_) {
                svg_.rect(corner(key, value), cell_width_ - kGap, kCellHeight - kGap, "empty");
            }
        }
        for (const auto* row : rows_) draw_cell(*row);
        if (!summary_.mirrors.empty()) draw_mirrors();
        return std::move(svg_);
    }

  private:
    static constexpr double kLeft = 66, kTop = 46, kGap = 2, kCellHeight = 44, kLineHeight = 16;

    // The widths of one side, widest first.
    static std::vector<int> widths_of(const std::vector<const SummaryRow*>& rows, int KvSpec::*side) {
        std::set<int, std::greater<>> all;
        for (const auto* row : rows) all.insert(row->spec.*side);
        return {all.begin(), all.end()};
    }

    static double index_of(const std::vector<int>& widths, int width) {
        return double(std::find(widths.begin(), widths.end(), width) - widths.begin());
    }

    Point corner(int key_bits, int value_bits) const {
        return {kLeft + index_of(value_bits_, value_bits) * cell_width_,
                kTop + index_of(key_bits_, key_bits) * kCellHeight};
    }

    void draw_headings() {
        svg_.text({0, kTop - 28}, Anchor::kStart, "axis", "mean divergence from f16, 10⁻³ nats");
        const bool roomy = cell_width_ > 76;
        for (const int bits : value_bits_) {
            const double x = corner(key_bits_.front(), bits).x + (cell_width_ - kGap) / 2;
            svg_.text({x, kTop - 8}, Anchor::kMiddle, "tick",
                      roomy ? fmt::format("{}-bit values", bits) : fmt::format("{}-bit v", bits));
        }
        for (const int bits : key_bits_) {
            const double y = corner(bits, value_bits_.front()).y + kCellHeight / 2;
            svg_.text({kLeft - 8, y + 0.3 * kTickSize}, Anchor::kEnd, "tick",
                      fmt::format("{}-bit keys", bits));
        }
    }

    void draw_cell(const SummaryRow& row) {
        const Point at = corner(row.spec.key_bits, row.spec.value_bits);
        const double part = (std::log(*row.kld()) - low_) / (high_ - low_);
        const int shade = std::clamp(static_cast<int>(part * kShades), 0, kShades - 1);
        const std::string kld = format_kld(*row.kld()), bytes = format_bytes(double(row.bytes()));
        svg_.rect(at, cell_width_ - kGap, kCellHeight - kGap, fmt::format("heat{}", shade),
                  fmt::format("{}: {} thousandths of a nat, {}", row.name, kld, bytes));
        const double middle = at.x + (cell_width_ - kGap) / 2;
        svg_.text({middle, at.y + 19}, Anchor::kMiddle, fmt::format("cell on-heat{}", shade), kld,
                  cell_width_ - kGap);
        svg_.text({middle, at.y + 34}, Anchor::kMiddle, fmt::format("small on-heat{}", shade), bytes,
                  cell_width_ - kGap);
    }

    // Outlines the first pair, and describes it and the next ones in words.
    void draw_mirrors() {
        const Mirror& first = summary_.mirrors.front();
        for (const auto* row : {first.more_for_keys, first.more_for_values}) {
            svg_.rect(corner(row->spec.key_bits, row->spec.value_bits), cell_width_ - kGap,
                      kCellHeight - kGap, "outline");
        }
        double y = bottom_ + kLineHeight;
        for (std::size_t i = 0; i < std::min(kMaxMirrors, summary_.mirrors.size()); ++i, y += kLineHeight) {
            const std::string text = sentence(summary_.mirrors[i]);
            const double left = std::clamp(svg_.width() - text_width(text, kTickSize), 0.0, kLeft);
            svg_.text({left, y}, Anchor::kStart, "note", text, svg_.width());
        }
    }

    const Summary& summary_;
    std::vector<const SummaryRow*> rows_;
    std::vector<int> key_bits_, value_bits_;
    double cell_width_, bottom_;
    double low_ = 0, high_ = 1;  // ln of the least and the most divergence
    Svg svg_;
};

}  // namespace

Chart width_chart(const Summary& summary, double width) {
    auto rows = shown_rows(summary);
    if (rows.size() < 2) return std::nullopt;
    return WidthChart(summary, std::move(rows), width).draw();
}

}  // namespace kvsplit::lab
