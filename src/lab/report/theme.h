// The colours of pages and pictures, and the style sheets that the build embeds.
#pragma once

#include <string>
#include <string_view>

namespace kvsplit::lab {

// The style of a page: the colours for light and dark, then the sheets of charts and page.
std::string page_style();

// The style of a picture in a separate file: light, and without variables, which many SVG viewers do not
// support.
std::string picture_style();

// The page, with {{name}} placeholders.
std::string_view page_template();

}  // namespace kvsplit::lab
