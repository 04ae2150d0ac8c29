// Human-readable amounts of memory.
#pragma once

#include <cstddef>
#include <string_view>

namespace kvsplit::cli {

// "4G", "1.5 GiB" (2^30), "4GB" (10^9), "512M", "64k", "1000000". Throws UsageError for anything else.
std::size_t parse_byte_size(std::string_view text);

}  // namespace kvsplit::cli
