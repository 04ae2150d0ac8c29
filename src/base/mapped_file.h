// MappedFile: a whole file in memory, mapped read-only or read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace kvsplit {

enum class FileAccess {
    kMap,   // pages are read on first use, and dropped when memory is short
    kRead,  // the whole file at once, in order
};

// Movable. The bytes stay valid while the object lives; threads may read them freely.
class MappedFile {
  public:
    // Throws Error(kNotFound or kIo; kOutOfMemory if it cannot be read into memory) naming the path. An empty
    // file gives an empty span.
    explicit MappedFile(std::string path, FileAccess access = FileAccess::kMap);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&&) = delete;

    std::span<const std::uint8_t> bytes() const { return {data_, size_}; }
    const std::string& path() const { return path_; }

    // Drops a range from resident memory. With kMap it can still be read again; with kRead it must not.
    void release(std::size_t offset, std::size_t size) const;

  private:
    void map(int fd);
    void read(int fd);

    std::string path_;
    const std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace kvsplit
