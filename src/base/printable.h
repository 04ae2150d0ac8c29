// printable(): makes bytes from a file or a caller safe for a terminal or a message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kvsplit {

// Valid UTF-8 passes; control characters, broken UTF-8 and backslashes become \n, \xNN and the like. Input
// beyond max_bytes is cut (between characters) and ends in "...".
std::string printable(std::string_view bytes, std::size_t max_bytes = 100);

// A path, however long.
inline std::string printable_path(std::string_view path) { return printable(path, 4096); }

}  // namespace kvsplit
