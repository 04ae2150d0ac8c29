// The special characters of HTML and XML, & < > ' ", as entities that both know.
#pragma once

#include <string>
#include <string_view>

namespace kvsplit {

std::string escape_html(std::string_view text);

}  // namespace kvsplit
