#include "lab/report/svg.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/html.h"

namespace kvsplit::lab {
namespace {

// A tenth of a pixel is enough; "12.0" is "12".
std::string number(double value) {
    std::string out = fmt::format("{:.1f}", value);
    if (out.ends_with(".0")) out.resize(out.size() - 2);
    return out == "-0" ? "0" : out;
}

constexpr std::string_view anchor_name(Anchor anchor) {
    return anchor == Anchor::kStart ? "start" : anchor == Anchor::kMiddle ? "middle" : "end";
}

bool has_class(std::string_view classes, std::string_view name) {
    for (std::size_t end; !classes.empty(); classes.remove_prefix(end)) {
        classes.remove_prefix(std::min(classes.find_first_not_of(' '), classes.size()));
        end = std::min(classes.find(' '), classes.size());
        if (classes.substr(0, end) == name) return true;
    }
    return false;
}

// Letters as in report/chart.css.
double size_of(std::string_view classes) {
    if (has_class(classes, "tick") || has_class(classes, "note")) return kTickSize;
    if (has_class(classes, "cell")) return kCellSize;
    return has_class(classes, "small") ? kSmallSize : kLabelSize;
}
bool is_bold(std::string_view classes) {
    return has_class(classes, "label") && (has_class(classes, "best") || has_class(classes, "reference"));
}

// Widths of U+0020 to U+007E in thousandths of the font size.
constexpr std::array<std::uint16_t, 95> kWidths{
    278,  278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,  // space to /
    556,  556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,  // 0 to ?
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,  // @ to O
    667,  778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,  // P to _
    333,  556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,  // ` to o
    556,  556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584};      // p to ~
constexpr int kOther = 500;                                                           // all other characters

}  // namespace

Svg::Svg(double width, double height, std::string title, std::string description)
    : width_(width), height_(height), title_(std::move(title)), description_(std::move(description)) {}

void Svg::shape(std::string_view tag, std::string_view attributes, std::string_view classes,
                std::string_view tip) {
    body_ += fmt::format("<{} {} class=\"{}\"", tag, attributes, classes);
    body_ += tip.empty() ? "/>\n" : fmt::format("><title>{}</title></{}>\n", escape_html(tip), tag);
}

void Svg::line(Point from, Point to, std::string_view classes) {
    shape("line",
          fmt::format(R"(x1="{}" y1="{}" x2="{}" y2="{}")", number(from.x), number(from.y), number(to.x),
                      number(to.y)),
          classes, {});
}

void Svg::polyline(std::span<const Point> points, std::string_view classes) {
    std::string list;
    for (const Point& p : points) {
        list += fmt::format("{}{},{}", list.empty() ? "" : " ", number(p.x), number(p.y));
    }
    shape("polyline", fmt::format(R"(points="{}")", list), classes, {});
}

void Svg::rect(Point corner, double width, double height, std::string_view classes, std::string_view tip) {
    shape("rect",
          fmt::format(R"(x="{}" y="{}" width="{}" height="{}")", number(corner.x), number(corner.y),
                      number(width), number(height)),
          classes, tip);
}

void Svg::circle(Point centre, double radius, std::string_view classes, std::string_view tip) {
    shape("circle",
          fmt::format(R"(cx="{}" cy="{}" r="{}")", number(centre.x), number(centre.y), number(radius)),
          classes, tip);
}

void Svg::text(Point at, Anchor anchor, std::string_view classes, std::string_view text, double room) {
    const double width = std::min(room, text_width(text, size_of(classes), is_bold(classes)));
    body_ += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"{}\" class=\"{}\" textLength=\"{}\" "
        "lengthAdjust=\"spacingAndGlyphs\">{}</text>\n",
        number(at.x), number(at.y), anchor_name(anchor), classes, number(width), escape_html(text));
}

std::string Svg::element(std::string_view id, std::string_view classes) const {
    return fmt::format(
        "<svg class=\"chart {2}\" viewBox=\"0 0 {3} {4}\" role=\"img\" aria-labelledby=\"{0}-t {0}-d\">\n"
        "<title id=\"{0}-t\">{5}</title>\n<desc id=\"{0}-d\">{6}</desc>\n{1}</svg>\n",
        id, body_, classes, number(width_), number(height_), escape_html(title_), escape_html(description_));
}

std::string Svg::file(std::string_view css) const {
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" width=\"{0}\" height=\"{1}\" "
        "viewBox=\"0 0 {0} {1}\">\n<title>{2}</title>\n<desc>{3}</desc>\n<style>\n{4}</style>\n"
        "<rect width=\"{0}\" height=\"{1}\" class=\"ground\"/>\n{5}</svg>\n",
        number(width_), number(height_), escape_html(title_), escape_html(description_), css, body_);
}

double text_width(std::string_view text, double font_size, bool bold) {
    int thousandths = 0;
    for (const unsigned char c : text) {
        if ((c & 0xC0) == 0x80) continue;  // the rest of a UTF-8 character
        thousandths += c >= ' ' && c <= '~' ? kWidths[c - ' '] : kOther;
    }
    return (bold ? 1.06 : 1) * 1e-3 * thousandths * font_size;
}

}  // namespace kvsplit::lab
