// Reads the user's texts from files, pipes and standard input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvsplit::cli {

// The contents of a file or pipe, or of standard input for "-" and "/dev/stdin", without a leading byte-order
// mark. Throws Error, also for UTF-16 and for more than `most` bytes.
std::string read_text(const std::string& path, std::size_t most = SIZE_MAX);
// The same; refuses an empty text.
std::string read_measured_text(const std::string& path);

// The length of a leading UTF-8 byte-order mark: 0 or 3.
std::size_t byte_order_mark(std::string_view text);

}  // namespace kvsplit::cli
