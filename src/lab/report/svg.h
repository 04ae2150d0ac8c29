// Svg: writes one picture. Shapes have class names instead of colours: report/chart.css styles them, for the
// page (light and dark) and for separate files (light).
//
// Coordinates are px of the picture's own box, y downwards.
//
// A picture is laid out here, but shown in the reader's font. So every text carries its width, and the
// reader's program fits the letters into it: no change with Helvetica or Arial, narrower letters with wider
// fonts.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace kvsplit::lab {

struct Point {
    double x = 0, y = 0;
};

enum class Anchor { kStart, kMiddle, kEnd };

class Svg {
  public:
    // title: a short name. description: for readers who cannot see the picture.
    Svg(double width, double height, std::string title, std::string description);

    void line(Point from, Point to, std::string_view classes);
    void polyline(std::span<const Point> points, std::string_view classes);
    // A non-empty tip shows when the pointer rests on the shape.
    void rect(Point corner, double width, double height, std::string_view classes, std::string_view tip = {});
    void circle(Point centre, double radius, std::string_view classes, std::string_view tip = {});
    // Takes text_width(), or `room` px if that is less.
    void text(Point at, Anchor anchor, std::string_view classes, std::string_view text, double room = 1e9);

    double width() const { return width_; }
    double height() const { return height_; }
    const std::string& title() const { return title_; }
    const std::string& description() const { return description_; }

    // The element for a page. id: unique in the page. classes: of the element.
    std::string element(std::string_view id, std::string_view classes) const;
    // A whole file, with embedded style and a white background.
    std::string file(std::string_view css) const;

  private:
    void shape(std::string_view tag, std::string_view attributes, std::string_view classes,
               std::string_view tip);

    double width_, height_;
    std::string title_, description_, body_;
};

// Font size in px of each class; report/chart.css has the same.
constexpr double kLabelSize = 12, kTickSize = 11, kCellSize = 13, kSmallSize = 10;

// Width in px of a text set in Helvetica. Bold letters take 6 % more.
double text_width(std::string_view text, double font_size, bool bold = false);

}  // namespace kvsplit::lab
