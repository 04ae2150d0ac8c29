#include "lab/report/labels.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

namespace kvsplit::lab {
namespace {

struct Place {
    double dx, dy;  // from the point to the near edge of the text, in radii plus a little
    Anchor anchor;
};
// The best first: labels are read to the right of their marks.
constexpr std::array<Place, 8> kPlaces{{{1, 0, Anchor::kStart},
                                        {0, -1, Anchor::kMiddle},
                                        {-1, 0, Anchor::kEnd},
                                        {0, 1, Anchor::kMiddle},
                                        {0.8, -0.8, Anchor::kStart},
                                        {0.8, 0.8, Anchor::kStart},
                                        {-0.8, -0.8, Anchor::kEnd},
                                        {-0.8, 0.8, Anchor::kEnd}}};

Label label_at(Point point, const Place& place, double distance, double font_size) {
    // The baseline lies a third of the size below the middle of the letters.
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

}  // namespace

double Box::overlap(const Box& other) const {
    const double w = std::min(right, other.right) - std::max(left, other.left);
    const double h = std::min(bottom, other.bottom) - std::max(top, other.top);
    return w > 0 && h > 0 ? w * h : 0;
}

std::vector<Label> place_labels(const std::vector<Point>& points, const std::vector<std::string>& texts,
                                double radius, double font_size, const Box& area) {
    std::vector<Box> taken;
    for (const Point& p : points) taken.push_back({p.x - radius, p.y - radius, p.x + radius, p.y + radius});
    std::vector<Label> out;
    for (std::size_t i = 0; i < points.size(); ++i) {
        const double width = text_width(texts[i], font_size);
        double least = std::numeric_limits<double>::infinity();
        Label best;
        Box best_box;
        for (const Place& place : kPlaces) {
            const Label label = label_at(points[i], place, radius + 4, font_size);
            const Box box = box_of(label, width, font_size);
            const double inside = box.overlap(area), whole = width * 1.02 * font_size;
            double cost = 3 * std::max(0.0, whole - inside);
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

    // Groups of labels that touch, each centred on the mean of what its members want.
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
