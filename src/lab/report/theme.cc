#include "lab/report/theme.h"

#include <fmt/core.h>

#include <array>

namespace kvsplit {

namespace embedded {
// Made by the build from the files beside this one.
extern const std::string_view chart_css, page_css, page_html;
}  // namespace embedded

namespace lab {
namespace {

struct Colour {
    std::string_view name, light, dark;
};

// Blue, orange and vermilion are told apart by all kinds of colour vision; shades differ in lightness most of
// all.
constexpr std::array kColours = std::to_array<Colour>(
    {{"ground", "#ffffff", "#14171a"}, {"raised", "#f5f6f7", "#1d2125"}, {"ink", "#1b1d1f", "#e6e8ea"},
     {"muted", "#5c6166", "#a0a6ac"},  {"base", "#8d949b", "#6c737a"},   {"grid", "#e6e8ea", "#2a2f34"},
     {"best", "#c04f00", "#ff9b52"},   {"point", "#0068a8", "#62b4ea"},  {"other", "#98a0a8", "#6f7880"},
     {"keys", "#0068a8", "#4a9fd6"},   {"values", "#e69f00", "#e9b03c"}, {"exact", "#a9afb5", "#5d646b"},
     {"heat0", "#eef5fb", "#18242f"},  {"heat1", "#d8e8f5", "#1c3347"},  {"heat2", "#bad6ec", "#214561"},
     {"heat3", "#92bfe0", "#285a7f"},  {"heat4", "#64a2d0", "#3674a2"},  {"heat5", "#3d82ba", "#5193c4"},
     {"heat6", "#20629f", "#7db5de"},  {"heat7", "#0d4380", "#b4dbf6"},  {"on-low", "#1b1d1f", "#e6e8ea"},
     {"on-high", "#ffffff", "#0d1822"}});

}  // namespace

std::string page_style() {
    std::string light, dark;
    for (const Colour& c : kColours) {
        light += fmt::format("--{}:{};", c.name, c.light);
        dark += fmt::format("--{}:{};", c.name, c.dark);
    }
    // Paper is white.
    return fmt::format(
        ":root{{color-scheme:light dark;{}}}\n@media screen and "
        "(prefers-color-scheme:dark){{:root{{{}}}}}\n{}{}",
        light, dark, embedded::page_css, embedded::chart_css);
}

std::string picture_style() {
    std::string css(embedded::chart_css);
    for (const Colour& c : kColours) {
        const std::string variable = fmt::format("var(--{})", c.name);
        for (std::size_t at = 0; (at = css.find(variable, at)) != std::string::npos; at += c.light.size()) {
            css.replace(at, variable.size(), c.light);
        }
    }
    return css;
}

std::string_view page_template() { return embedded::page_html; }

}  // namespace lab
}  // namespace kvsplit
