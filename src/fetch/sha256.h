// SHA-256 of files and texts.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace kvsplit::fetch {

// In lower-case hexadecimal. progress is called with the bytes done; returning false stops, and gives "".
// Throws Error(kIo) naming the path.
std::string sha256_of_file(const std::string& path, const std::function<bool(std::uint64_t done)>& progress);

std::string sha256_of_text(std::string_view text);

// Whether text is 64 digits of lower-case hexadecimal.
bool is_sha256(const std::string& text);

}  // namespace kvsplit::fetch
