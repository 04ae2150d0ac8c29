// SHA-256 of files and texts.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace kvsplit::fetch {

// In lower-case hexadecimal. Calls progress with the bytes done; if it returns false, stops and returns "".
// Throws Error(kIo) naming the path.
std::string sha256_of_file(const std::string& path, const std::function<bool(std::uint64_t done)>& progress);

std::string sha256_of_text(std::string_view text);

// Whether text is 64 lower-case hexadecimal digits.
bool is_sha256(const std::string& text);

}  // namespace kvsplit::fetch
