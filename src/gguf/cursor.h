// Cursor: walks over the front of a file, which it reads as it goes, and refuses to leave the file. Internal
// to this folder.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/input_file.h"
#include "base/printable.h"
#include "gguf/element.h"

namespace kvsplit::gguf {

class Cursor {
  public:
    explicit Cursor(InputFile& file) : file_(file) {}

    std::uint64_t position() const { return position_; }
    std::uint64_t remaining() const { return file_.size() - position_; }

    // what: the field's name for the message, e.g. "tensor count".
    template <typename T>
    T read(std::string_view what) {
        return load<T>(take(sizeof(T), what).data());
    }

    std::span<const std::uint8_t> take(std::uint64_t n, std::string_view what) {
        if (n > remaining()) {
            fail_at(position_, "{} needs {} bytes, but the file ends after {}; it is cut off or damaged",
                    what, n, remaining());
        }
        const auto taken = file_.front(position_ + n).subspan(position_);
        position_ += n;
        return taken;
    }

    // A u64 length, then that many bytes.
    std::string_view read_string(std::string_view what) {
        const auto length = read<std::uint64_t>(what);
        return as_text(take(length, what));
    }

    // The bytes read since an earlier position.
    std::span<const std::uint8_t> since(std::uint64_t start) const {
        return file_.front(position_).subspan(start);
    }

    // Refuses a count of entries, each at least entry_bytes long, that the rest of the file cannot hold.
    void check_count(std::uint64_t at, std::uint64_t count, std::uint64_t entry_bytes,
                     std::string_view what) {
        if (count > remaining() / entry_bytes) {
            fail_at(at, "{} {} is more than the rest of the file ({} bytes) can hold; the file is damaged",
                    what, count, remaining());
        }
    }

    template <typename... Args>
    [[noreturn]] void fail_at(std::uint64_t at, fmt::format_string<Args...> format, Args&&... args) const {
        fail(ErrorCode::kFormat, "{} @{:#x}: {}", printable_path(file_.path()), at,
             fmt::format(format, std::forward<Args>(args)...));
    }

  private:
    InputFile& file_;
    std::uint64_t position_ = 0;
};

}  // namespace kvsplit::gguf
