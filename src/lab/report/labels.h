// Places labels so that they cover neither each other nor the marks.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lab/report/svg.h"

namespace kvsplit::lab {

struct Box {
    double left = 0, top = 0, right = 0, bottom = 0;
    // The area covered by both, in px squared.
    double overlap(const Box& other) const;
};

// A labelled point of a chart.
struct Mark {
    Point at;
    double radius = 0;  // px covered around the point
    std::string text;
};

struct Label {
    Point at;  // of the baseline, at the anchor
    Anchor anchor = Anchor::kStart;
};

// Places each label beside its mark; earlier marks choose first. If possible, labels stay inside `area` and
// off the marks, `line` and each other.
std::vector<Label> place_labels(const std::vector<Mark>& marks, std::span<const Point> line, double font_size,
                                const Box& area);

// Moves values as little as possible so that neighbours are at least `gap` apart, inside [low, high]. Keeps
// their order.
std::vector<double> spread(const std::vector<double>& values, double gap, double low, double high);

}  // namespace kvsplit::lab
