// printable(): bytes from a file, made safe for a terminal or a message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kvsplit::gguf {

// Valid UTF-8 passes; control characters, broken UTF-8 and backslashes become \n, \xNN and the like. Beyond
// max_bytes of input the text is cut (between characters) and ends in "...".
std::string printable(std::string_view bytes, std::size_t max_bytes = 100);

}  // namespace kvsplit::gguf
