// Texts of the user's: files, pipes, standard input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvsplit::cli {

// The whole of a file or a pipe, or of standard input for "-" and "/dev/stdin", without a byte-order mark at
// its start. Throws Error, also for UTF-16 and for more than `most` bytes.
std::string read_text(const std::string& path, std::size_t most = SIZE_MAX);
// The same; an empty text is refused.
std::string read_measured_text(const std::string& path);

// How many bytes at the start of a text are a UTF-8 byte-order mark: 0 or 3.
std::size_t byte_order_mark(std::string_view text);

}  // namespace kvsplit::cli
