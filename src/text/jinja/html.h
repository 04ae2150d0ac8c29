// HTML's special characters as entities.
#pragma once

#include <string>
#include <string_view>

namespace kvsplit::text::jinja {

std::string escape_html(std::string_view text);

}  // namespace kvsplit::text::jinja
