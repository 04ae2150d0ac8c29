// MappedFile: a whole file, mapped read-only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace kvsplit {

// Movable. The bytes stay valid while the object lives; threads may read them freely.
class MappedFile {
  public:
    // Throws Error(kNotFound or kIo) naming the path. An empty file gives an empty span.
    explicit MappedFile(std::string path);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&&) = delete;

    std::span<const std::uint8_t> bytes() const { return {data_, size_}; }
    const std::string& path() const { return path_; }

    // Tells the kernel that a range is not needed soon: its pages leave our resident memory.
    void release(std::size_t offset, std::size_t size) const;

  private:
    std::string path_;
    const std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace kvsplit
