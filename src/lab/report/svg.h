// Svg: writes one picture. Shapes carry class names and no colours: report/chart.css says what they look
// like, in the page (light and dark) and in a file of its own (light).
//
// Coordinates are px of the picture's own box, y downwards.
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
    void text(Point at, Anchor anchor, std::string_view classes, std::string_view text);

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

// Width in px of a text in the charts' sans-serif at a font size: good to about a tenth, for placing labels.
double text_width(std::string_view text, double font_size);

}  // namespace kvsplit::lab
