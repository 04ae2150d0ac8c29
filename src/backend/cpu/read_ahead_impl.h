// Prefetching of cache pages. Part of a kernel translation unit (simd.h).
#pragma once

#include "backend/cpu/attention_kernels.h"
#include "backend/cpu/simd/simd.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

// Prefetches what is read next, a few cache lines at a time spread over the work: a processor has only ten to
// twenty requests open, and stalls if more are made at once. With hardware prefetching alone, which restarts
// on every memory page, decoding mostly waits for memory.
class ReadAhead {
  public:
    // n_steps: the number of calls of step() per head of a page.
    KVSPLIT_INLINE ReadAhead(const PageRun& run, int n_steps)
        : run_(run),
          lines_(lines_of(run.layout->blocks.bytes, n_steps)),
          first_lines_(lines_of(run.layout->blocks.offset + run.layout->blocks.bytes, n_steps)) {}

    // Starts with all that `head` reads of a page, for the run's first head also the page's header. Does
    // nothing past the last page.
    KVSPLIT_INLINE void start(int page, int head) {
        next_ = end_;
        if (page == run_.n_pages) return;
        const codec::PageArray& blocks = run_.layout->blocks;
        const std::byte* block = run_.pages[page] + blocks.at(head);
        const bool first = head == run_.head;
        next_ = first ? block - blocks.offset : block;
        end_ = block + blocks.bytes;
        step_ = first ? first_lines_ : lines_;
    }
    KVSPLIT_INLINE void step() {
        const std::byte* at = next_;
        if (at >= end_) return;
        for (int i = step_; i > 0; --i, at += 64) prefetch(at);  // the last step may go past the end
        next_ = at;
    }

  private:
    KVSPLIT_INLINE static int lines_of(std::size_t bytes, int n_steps) {
        return static_cast<int>((bytes / static_cast<unsigned>(n_steps) + 63) / 64);
    }

    const PageRun& run_;
    const std::byte *next_ = nullptr, *end_ = nullptr;
    int step_ = 0;
    const int lines_, first_lines_;
};

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
