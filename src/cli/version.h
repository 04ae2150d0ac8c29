// What this build is.
#pragma once

#include <string_view>

namespace kvsplit::cli {

std::string_view version();  // "0.1.0"
std::string_view commit();   // "unknown" outside a git checkout

}  // namespace kvsplit::cli
