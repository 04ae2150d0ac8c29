// The plot area of a chart, its axes and the sizes of its letters.
#pragma once

#include <functional>
#include <string>

#include "lab/report/labels.h"
#include "lab/report/scale.h"
#include "lab/report/svg.h"

namespace kvsplit::lab {

// px; report/chart.css has the same.
constexpr double kLabelSize = 12, kTickSize = 11;

using MarkText = std::function<std::string(double value)>;

// Marks with thin lines across the plot, and what they measure above the upper left corner.
void draw_y_axis(Svg& svg, const Box& plot, const Scale& scale, const MarkText& text, std::string_view title);

// Marks below the plot, and what they measure below them.
void draw_x_axis(Svg& svg, const Box& plot, const Scale& scale, const MarkText& text, std::string_view title);

}  // namespace kvsplit::lab
