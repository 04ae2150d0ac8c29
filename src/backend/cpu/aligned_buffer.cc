#include "backend/cpu/aligned_buffer.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstdlib>

#include "base/error.h"

namespace kvsplit::cpu {
namespace {

constexpr std::size_t kLine = 64, kHugePage = std::size_t{2} << 20;

}  // namespace

AlignedBuffer::AlignedBuffer(std::size_t size) {
    if (size == 0) return;
    const std::size_t align = size >= kHugePage ? kHugePage : kLine;
    const std::size_t rounded = (size + kLine - 1) / kLine * kLine;
    if (rounded < size || posix_memalign(reinterpret_cast<void**>(&data_), align, rounded) != 0) {
        fail(ErrorCode::kOutOfMemory, "no memory for {} bytes", size);
    }
    size_ = rounded;
#if defined(__linux__)
    // Huge pages save address translations when streaming through megabytes of weights. Only a hint: a
    // refusal is no error.
    if (align == kHugePage) madvise(data_, rounded / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
}

AlignedBuffer::~AlignedBuffer() { std::free(data_); }

}  // namespace kvsplit::cpu
