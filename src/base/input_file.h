// InputFile: a file that is read in pieces, as they are asked for, or whole at once.
//
// Nothing is mapped: when another program shortens a mapped file, touching what is gone kills the process.
// Reading gives an error instead, in any thread and at any time.
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
    kWhole,     // all of it when it is opened, in the file's order
};

// Movable. Any number of threads may call what is const.
class InputFile {
  public:
    // Throws Error(kNotFound or kIo; kOutOfMemory where there is no memory to read into) naming the path.
    explicit InputFile(std::string path, FileAccess access = FileAccess::kOnDemand);
    ~InputFile();
    InputFile(InputFile&& other) noexcept;
    InputFile& operator=(InputFile&&) = delete;

    const std::string& path() const { return path_; }
    std::size_t size() const { return size_; }  // when it was opened

    // The first n bytes, which stay in memory as long as the object does (also when it is moved). n must not
    // exceed size(). Throws Error(kIo; kOutOfMemory).
    std::span<const std::uint8_t> front(std::size_t n);
    // The bytes [offset, offset + n), which must lie inside size(): from memory where they are there, else
    // read into scratch. Valid until scratch changes. Throws Error(kIo), also where the file has become
    // shorter, or is not the one any more that was opened.
    const std::uint8_t* read(std::size_t offset, std::size_t n, std::vector<std::uint8_t>& scratch) const;
    // These bytes will not be read any more: with kWhole they leave memory.
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
    std::size_t loaded_ = 0;  // how much of it is in memory
    FileAccess access_;
};

}  // namespace kvsplit
