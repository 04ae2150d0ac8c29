// PageMemory: where the pages of a cache live. Page: a counted handle to one of them.
#pragma once

#include <cstddef>
#include <memory>

namespace kvsplit {

// The bytes return to their PageMemory with the last handle. Sealed pages are immutable and shared between
// sequences; an open page has one owner.
using Page = std::shared_ptr<std::byte>;

// Allocates pages, counts them, and keeps freed ones for the next page of the same size; with the last page
// in use all memory goes back to the system. Many pages lie side by side in huge pages of the system:
// attention jumps from one to another, and would else pay for each jump with a look into the page tables.
// Thread-safe. Pages may outlive it. In a child of a process of which another thread was allocating or
// freeing a page at the fork, pages can be freed, but allocate() throws Error(kUnsupported).
class PageMemory {
  public:
    PageMemory();

    // `bytes` (a multiple of 64) of memory, 64-byte aligned, contents undefined. Throws Error(kOutOfMemory).
    Page allocate(std::size_t bytes);

    // Bytes of the pages that have a handle.
    std::size_t bytes_in_use() const;

    // What pages of `bytes` altogether take from a system that has huge pages: more, by the unused part of
    // one.
    static std::size_t footprint(std::size_t bytes);

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace kvsplit
