// Where labels go so that they cover neither each other nor the marks.
#pragma once

#include <string>
#include <vector>

#include "lab/report/svg.h"

namespace kvsplit::lab {

struct Box {
    double left = 0, top = 0, right = 0, bottom = 0;
    // Area that both cover, px squared.
    double overlap(const Box& other) const;
};

struct Label {
    Point at;  // of the baseline, at the anchor
    Anchor anchor = Anchor::kStart;
};

// A place for each label beside its point, the first points having the first choice. The labels stay inside
// `area` where they can, and off the points (of this radius) and each other.
std::vector<Label> place_labels(const std::vector<Point>& points, const std::vector<std::string>& texts,
                                double radius, double font_size, const Box& area);

// Moves values apart until neighbours are at least `gap` apart, as little as possible, inside [low, high].
// The order of the values stays what it was.
std::vector<double> spread(const std::vector<double>& values, double gap, double low, double high);

}  // namespace kvsplit::lab
