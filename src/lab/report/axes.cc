#include "lab/report/axes.h"

namespace kvsplit::lab {

void draw_y_axis(Svg& svg, const Box& plot, const Scale& scale, const MarkText& text,
                 std::string_view title) {
    for (const double mark : scale.marks()) {
        const double y = scale(mark);
        svg.line({plot.left, y}, {plot.right, y}, "grid");
        svg.text({plot.left - 8, y + 0.34 * kTickSize}, Anchor::kEnd, "tick", text(mark));
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
