#include "cli/text_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/error.h"

namespace kvsplit::cli {
namespace {

std::string read_all(std::FILE* file, const std::string& name, std::size_t most) {
    std::string text;
    std::array<char, 65536> buffer;
    std::size_t n = 0;
    // Not after the end: a terminal would then have to end its text twice.
    while (!std::feof(file) && (n = std::fread(buffer.data(), 1, buffer.size(), file)) > 0) {
        text.append(buffer.data(), n);
        if (text.size() > most) fail(ErrorCode::kInvalidArgument, "{}: longer than {} bytes", name, most);
    }
    if (std::ferror(file)) fail(ErrorCode::kIo, "{}: cannot read: {}", name, errno_text(errno));
    return text;
}

std::string read_bytes(const std::string& path, std::size_t most) {
    if (path == "-" || path == "/dev/stdin") return read_all(stdin, "standard input", most);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
    if (!file) {
        const int number = errno;
        fail(number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "{}: cannot open: {}", path,
             errno_text(number));
    }
    return read_all(file.get(), path, most);
}

}  // namespace

std::size_t byte_order_mark(std::string_view text) { return text.starts_with("\xEF\xBB\xBF") ? 3 : 0; }

std::string read_text(const std::string& path, std::size_t most) {
    std::string text = read_bytes(path, most);
    if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
        fail(ErrorCode::kInvalidArgument, "{}: is in UTF-16; 'iconv -f UTF-16 -t UTF-8' converts it",
             path == "-" ? "standard input" : path);
    }
    return text.erase(0, byte_order_mark(text));
}

std::string read_measured_text(const std::string& path) {
    std::string text = read_text(path);
    if (text.empty()) fail(ErrorCode::kInvalidArgument, "{}: the text is empty: nothing to measure", path);
    return text;
}

}  // namespace kvsplit::cli
