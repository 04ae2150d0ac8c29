// The colours of pages and pictures, and the style sheets that the build embeds.
#pragma once

#include <string>
#include <string_view>

namespace kvsplit::lab {

// The style of a page: the colours for light and dark, then the sheets of charts and page.
std::string page_style();

// The style of a picture in a file of its own: light, and without variables, which many programs that read
// SVG do not know.
std::string picture_style();

// The page, with {{names}} to be filled in.
std::string_view page_template();

}  // namespace kvsplit::lab
