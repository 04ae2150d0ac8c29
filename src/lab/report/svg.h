// Svg: writes one picture. Shapes carry class names and no colours: report/chart.css says what they look
// like, in the page (light and dark) and in a file of its own (light).
//
// Coordinates are px of the picture's own box, y downwards.
//
// A picture is laid out here and shown with whatever font the reader has. So every text carries its width,
// and the reader's program fits the letters into it: with Helvetica, Arial and their likes nothing changes,
// wider letters become narrower.
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
    // title: a short name; description: what a reader who cannot see the picture should know.
    Svg(double width, double height, std::string title, std::string description);

    void line(Point from, Point to, std::string_view classes);
    void polyline(std::span<const Point> points, std::string_view classes);
    // A non-empty tip shows when the pointer rests on the shape.
    void rect(Point corner, double width, double height, std::string_view classes, std::string_view tip = {});
    void circle(Point centre, double radius, std::string_view classes, std::string_view tip = {});
    // Takes text_width(), or `room` px where that is less.
    void text(Point at, Anchor anchor, std::string_view classes, std::string_view text, double room = 1e9);

    double width() const { return width_; }
    double height() const { return height_; }
    const std::string& title() const { return title_; }
    const std::string& description() const { return description_; }

    // The element for a page. id is unique there; classes are the element's own.
    std::string element(std::string_view id, std::string_view classes) const;
    // A whole file, with its style inside and a white ground.
    std::string file(std::string_view css) const;

  private:
    void shape(std::string_view tag, std::string_view attributes, std::string_view classes,
               std::string_view tip);

    double width_, height_;
    std::string title_, description_, body_;
};

// px of the letters of each class; report/chart.css has the same.
constexpr double kLabelSize = 12, kTickSize = 11, kCellSize = 13, kSmallSize = 10;

// Width in px of a text, as Helvetica has it. Bold letters take 6 % more.
double text_width(std::string_view text, double font_size, bool bold = false);

}  // namespace kvsplit::lab
