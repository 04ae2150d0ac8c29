#include "lab/report/axes.h"

#include <algorithm>
#include <cmath>

namespace kvsplit::lab {
namespace {

constexpr double kGap = 8;  // px between a mark's text and the plot

}  // namespace

double left_of_plot(const Scale& scale, const MarkText& text) {
    double widest = 0;
    for (const double mark : scale.marks()) widest = std::max(widest, text_width(text(mark), kTickSize));
    return std::max(44.0, std::ceil(widest) + kGap + 2);
}

void draw_y_axis(Svg& svg, const Box& plot, const Scale& scale, const MarkText& text,
                 std::string_view title) {
    for (const double mark : scale.marks()) {
        const double y = scale(mark);
        svg.line({plot.left, y}, {plot.right, y}, "grid");
        svg.text({plot.left - kGap, y + 0.34 * kTickSize}, Anchor::kEnd, "tick", text(mark));
    }
    svg.text({0, plot.top - 18}, Anchor::kStart, "axis", title);
}

void draw_x_axis(Svg& svg, const Box& plot, const Scale& scale, const MarkText& text,
                 std::string_view title) {
    svg.line({plot.left, plot.bottom}, {plot.right, plot.bottom}, "base");
    for (const double mark : scale.marks()) {
        const double x = scale(mark);
        svg.line({x, plot.bottom}, {x, plot.bottom + 4}, "base");
        svg.text({x, plot.bottom + 17}, Anchor::kMiddle, "tick", text(mark));
    }
    svg.text({plot.right, plot.bottom + 36}, Anchor::kEnd, "axis", title);
}

}  // namespace kvsplit::lab
