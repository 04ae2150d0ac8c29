// MappedFile: a whole file in memory, mapped read-only or read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace kvsplit {

enum class FileAccess {
    kMap,   // pages are read when they are needed, and leave memory when it is short
    kRead,  // all of it at once, in the file's order
};

// Movable. The bytes stay valid while the object lives; threads may read them freely.
class MappedFile {
  public:
    // Throws Error(kNotFound or kIo; kOutOfMemory where there is no memory to read into) naming the path. An
    // empty file gives an empty span.
    explicit MappedFile(std::string path, FileAccess access = FileAccess::kMap);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&&) = delete;

    std::span<const std::uint8_t> bytes() const { return {data_, size_}; }
    const std::string& path() const { return path_; }

    // Tells the kernel that a range is not needed any more: its pages leave our resident memory. What was
    // mapped can be read again all the same, what was read (kRead) cannot.
    void release(std::size_t offset, std::size_t size) const;

  private:
    void map(int fd);
    void read(int fd);

    std::string path_;
    const std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace kvsplit
