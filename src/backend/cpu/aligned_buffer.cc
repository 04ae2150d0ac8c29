#include "backend/cpu/aligned_buffer.h"

#include "base/error.h"
#include "base/memory.h"

namespace kvsplit::cpu {

AlignedBuffer::AlignedBuffer(std::size_t size) {
    if (size == 0) return;
    data_ = static_cast<std::uint8_t*>(allocate_memory(size));
    if (!data_) fail(ErrorCode::kOutOfMemory, "no memory for {} bytes", size);
    size_ = size;
}

AlignedBuffer::~AlignedBuffer() { free_memory(data_, size_); }

}  // namespace kvsplit::cpu
