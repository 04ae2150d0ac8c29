// PageMemory: where the pages of a cache live. Page: a counted handle to one of them.
#pragma once

#include <cstddef>
#include <memory>

namespace kvsplit {

// The bytes return to their PageMemory with the last handle. Sealed pages are immutable and shared between
// sequences; an open page has one owner.
using Page = std::shared_ptr<std::byte>;

// Allocates and counts pages, and keeps freed ones for reuse at the same size. When no page is in use, all
// memory returns to the system. Pages are packed into the system's huge pages, since attention jumps between
// pages and each jump would otherwise cost a page-table lookup. Thread-safe. Pages may outlive it. After a
// fork() during which another thread was allocating or freeing a page, the child can free pages, but
// allocate() throws Error(kUnsupported).
class PageMemory {
  public:
    PageMemory();

    // `bytes` (a multiple of 64) of memory, 64-byte aligned, contents undefined. Throws Error(kOutOfMemory).
    Page allocate(std::size_t bytes);

    // Bytes of all pages that have a handle.
    std::size_t bytes_in_use() const;

    // The memory that pages of `bytes` in total take on a system with huge pages, including the unused part
    // of the last one.
    static std::size_t footprint(std::size_t bytes);

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace kvsplit
