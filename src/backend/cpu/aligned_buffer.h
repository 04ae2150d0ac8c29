// AlignedBuffer: owned bytes, aligned to 64 bytes, or to huge pages if large.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace kvsplit::cpu {

class AlignedBuffer {
  public:
    AlignedBuffer() = default;
    explicit AlignedBuffer(std::size_t size);  // uninitialised; throws Error kOutOfMemory
    ~AlignedBuffer();
    AlignedBuffer(AlignedBuffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }

    std::uint8_t* data() { return data_; }
    const std::uint8_t* data() const { return data_; }
    std::size_t size() const { return size_; }

    // Grows to at least `size` bytes; loses the contents when it grows.
    void reserve(std::size_t size) {
        if (size > size_) *this = AlignedBuffer(size);
    }

  private:
    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace kvsplit::cpu
