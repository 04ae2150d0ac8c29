#include "lab/report/labels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace kvsplit::lab {
namespace {

struct Place {
    double dx, dy;  // from the point to the near edge of the text, in radii plus a little
    Anchor anchor;
};
// Best first: labels are best read to the right of their marks.
constexpr std::array<Place, 8> kPlaces{{{1, 0, Anchor::kStart},
                                        {0, -1, Anchor::kMiddle},
                                        {-1, 0, Anchor::kEnd},
                                        {0, 1, Anchor::kMiddle},
                                        {0.8, -0.8, Anchor::kStart},
                                        {0.8, 0.8, Anchor::kStart},
                                        {-0.8, -0.8, Anchor::kEnd},
                                        {-0.8, 0.8, Anchor::kEnd}}};

Label label_at(Point point, const Place& place, double distance, double font_size) {
    // The baseline is a third of the font size below the middle of the letters.
    double y = point.y + place.dy * distance + 0.34 * font_size;
    if (place.anchor == Anchor::kMiddle) y += place.dy * 0.42 * font_size;
    return {{point.x + place.dx * distance, y}, place.anchor};
}

Box box_of(const Label& label, double width, double font_size) {
    const double left = label.anchor == Anchor::kStart    ? label.at.x
                        : label.anchor == Anchor::kMiddle ? label.at.x - width / 2
                                                          : label.at.x - width;
    return {left, label.at.y - 0.8 * font_size, left + width, label.at.y + 0.22 * font_size};
}

// A line as small boxes, close together.
std::vector<Box> boxes_along(std::span<const Point> line) {
    constexpr double kStep = 3, kHalf = 1.5;  // px
    std::vector<Box> boxes;
    for (std::size_t i = 1; i < line.size(); ++i) {
        const double dx = line[i].x - line[i - 1].x, dy = line[i].y - line[i - 1].y;
        const double n = std::ceil(std::hypot(dx, dy) / kStep);
        for (double k = 0; k < n; ++k) {
            const double x = line[i - 1].x + dx * k / n, y = line[i - 1].y + dy * k / n;
            boxes.push_back({x - kHalf, y - kHalf, x + kHalf, y + kHalf});
        }
    }
    return boxes;
}

}  // namespace

double Box::overlap(const Box& other) const {
    const double w = std::min(right, other.right) - std::max(left, other.left);
    const double h = std::min(bottom, other.bottom) - std::max(top, other.top);
    return w > 0 && h > 0 ? w * h : 0;
}

std::vector<Label> place_labels(const std::vector<Mark>& marks, std::span<const Point> line, double font_size,
                                const Box& area) {
    std::vector<Box> taken = boxes_along(line);
    for (const Mark& m : marks) {
        taken.push_back({m.at.x - m.radius, m.at.y - m.radius, m.at.x + m.radius, m.at.y + m.radius});
    }
    std::vector<Label> out;
    for (const Mark& mark : marks) {
        const double width = std::min(text_width(mark.text, font_size), area.right - area.left);
        double least = std::numeric_limits<double>::infinity();
        Label best;
        Box best_box;
        for (const Place& place : kPlaces) {
            const Label label = label_at(mark.at, place, mark.radius + 3, font_size);
            const Box box = box_of(label, width, font_size);
            const double area_of_box = (box.right - box.left) * (box.bottom - box.top);
            double cost = 3 * (area_of_box - box.overlap(area));
            for (const Box& other : taken) cost += box.overlap(other);
            if (cost < least - 1e-9) {
                least = cost;
                best = label;
                best_box = box;
            }
        }
        out.push_back(best);
        taken.push_back(best_box);
    }
    return out;
}

std::vector<double> spread(const std::vector<double>& values, double gap, double low, double high) {
    const std::size_t n = values.size();
    if (n == 0) return {};
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return values[a] < values[b]; });
    if (n > 1) gap = std::min(gap, (high - low) / static_cast<double>(n - 1));

    // Groups of touching labels, each centred on the mean of its members' wishes.
    struct Group {
        double sum = 0;  // of the wishes, each less its place in the group
        std::size_t count = 0;
        double first = 0;
    };
    std::vector<Group> groups;
    for (const std::size_t i : order) {
        groups.push_back({values[i], 1, std::clamp(values[i], low, high)});
        while (groups.size() > 1) {
            Group &a = groups[groups.size() - 2], &b = groups.back();
            if (b.first >= a.first + gap * static_cast<double>(a.count) - 1e-9) break;
            a.sum += b.sum - gap * static_cast<double>(a.count * b.count);
            a.count += b.count;
            groups.pop_back();
            Group& merged = groups.back();
            const double length = gap * static_cast<double>(merged.count - 1);
            merged.first = std::clamp(merged.sum / static_cast<double>(merged.count), low, high - length);
        }
    }
    std::vector<double> out(n);
    std::size_t k = 0;
    for (const Group& group : groups) {
        for (std::size_t j = 0; j < group.count; ++j) {
            out[order[k++]] = group.first + gap * static_cast<double>(j);
        }
    }
    return out;
}

}  // namespace kvsplit::lab
