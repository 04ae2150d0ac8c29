// The plot area of a chart and its axes.
#pragma once

#include <functional>
#include <string>

#include "lab/report/labels.h"
#include "lab/report/scale.h"
#include "lab/report/svg.h"

namespace kvsplit::lab {

using MarkText = std::function<std::string(double value)>;

// The plot's left edge, with room for the marks of a y axis.
double left_of_plot(const Scale& scale, const MarkText& text);

// Draws marks with thin lines across the plot, and the title above the upper left corner.
void draw_y_axis(Svg& svg, const Box& plot, const Scale& scale, const MarkText& text, std::string_view title);

// Draws marks below the plot, and the title below them.
void draw_x_axis(Svg& svg, const Box& plot, const Scale& scale, const MarkText& text, std::string_view title);

}  // namespace kvsplit::lab
