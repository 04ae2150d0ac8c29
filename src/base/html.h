// Replaces the special characters of HTML and XML, & < > ' ", by entities that both define.
#pragma once

#include <string>
#include <string_view>

namespace kvsplit {

std::string escape_html(std::string_view text);

}  // namespace kvsplit
