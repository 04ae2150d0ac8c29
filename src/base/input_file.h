// InputFile: a file, read in pieces on demand or whole at once.
//
// Files are never mapped: if another program truncates a mapped file, touching the missing part kills the
// process. Reading throws instead, in any thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace kvsplit {

enum class FileAccess {
    kOnDemand,  // pieces, into the caller's memory
    kWhole,     // all of it at opening, in file order
};

// Movable. Const members are thread-safe.
class InputFile {
  public:
    // Throws Error(kNotFound, kIo, or kOutOfMemory if there is no memory to read into) naming the path.
    explicit InputFile(std::string path, FileAccess access = FileAccess::kOnDemand);
    ~InputFile();
    InputFile(InputFile&& other) noexcept;
    InputFile& operator=(InputFile&&) = delete;

    const std::string& path() const { return path_; }
    std::size_t size() const { return size_; }  // at opening

    // The first n <= size() bytes, which stay in memory for the object's lifetime, also if it is moved.
    // Throws Error(kIo or kOutOfMemory).
    std::span<const std::uint8_t> front(std::size_t n);
    // The bytes [offset, offset + n), which must lie inside size(): in memory if loaded, else read into
    // scratch. Valid until scratch changes. Throws Error(kIo), also if the file has become shorter or its
    // descriptor now belongs to another file.
    const std::uint8_t* read(std::size_t offset, std::size_t n, std::vector<std::uint8_t>& scratch) const;
    // Declares that these bytes are no longer needed: with kWhole they leave memory.
    void release(std::size_t offset, std::size_t n) const;

    // Throws Error(kIo) if the file has been written to since it was opened.
    void require_unchanged() const;

  private:
    struct Identity {
        dev_t device;
        ino_t inode;
        std::size_t size;
        timespec written;
    };

    Identity identity() const;
    void close() noexcept;
    void reserve();
    void read_exactly(std::size_t offset, std::size_t n, std::uint8_t* to) const;

    std::string path_;
    int fd_ = -1;
    Identity opened_{};
    std::uint8_t* data_ = nullptr;  // address space for all of the file
    std::size_t size_ = 0;
    std::size_t loaded_ = 0;  // bytes in memory, from the start
    FileAccess access_;
};

}  // namespace kvsplit
