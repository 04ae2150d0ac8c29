// Where labels go so that they cover neither each other nor the marks.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lab/report/svg.h"

namespace kvsplit::lab {

struct Box {
    double left = 0, top = 0, right = 0, bottom = 0;
    // Area that both cover, px squared.
    double overlap(const Box& other) const;
};

// A point of a chart and what it is called.
struct Mark {
    Point at;
    double radius = 0;  // px around it that it covers
    std::string text;
};

struct Label {
    Point at;  // of the baseline, at the anchor
    Anchor anchor = Anchor::kStart;
};

// A place for each label beside its mark, the first marks having the first choice. The labels stay inside
// `area` where they can, and off the marks, the line through some of them, and each other.
std::vector<Label> place_labels(const std::vector<Mark>& marks, std::span<const Point> line, double font_size,
                                const Box& area);

// Moves values apart until neighbours are at least `gap` apart, as little as possible, inside [low, high].
// The order of the values stays what it was.
std::vector<double> spread(const std::vector<double>& values, double gap, double low, double high);

}  // namespace kvsplit::lab
