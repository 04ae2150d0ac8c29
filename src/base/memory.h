// Memory of this process and of the machine, as reported by the operating system, in bytes.
#pragma once

#include <cstddef>
#include <string>

namespace kvsplit {

// Bytes of a page of the system's memory.
std::size_t page_size();

// The resident memory of this process; 0 if unknown.
std::size_t current_rss();
// The largest resident memory since the process started or since the last reset; 0 if unknown.
std::size_t peak_rss();
// Resets peak_rss() to the current value. False if the system does not allow it.
bool reset_peak_rss();
// Makes the allocator return freed memory to the system, so that it does not count in later measurements.
// Does nothing if the allocator cannot.
void release_freed_memory();

// Allocates memory, contents undefined, aligned to 64 bytes; from one huge page up, aligned to huge pages,
// which it requests. Null if there is no memory. Large blocks come from the system and return to it at once:
// malloc would keep them after a model is freed.
void* allocate_memory(std::size_t bytes);
// bytes: as passed to allocate_memory(). Null is fine.
void free_memory(void* data, std::size_t bytes);

// The size and alignment of the system's huge pages.
inline constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Memory for new allocations: the machine's available memory, or what the limits of the process's control
// groups leave if that is less. Reclaimable memory (file caches) counts as available. 0 if the system does
// not report it. `root` is prepended to /proc and /sys, for tests.
std::size_t available_memory(const std::string& root = "");

// Keeps all present and future memory of this process out of swap; pages are locked on first use. Throws
// Error(kOutOfMemory), which says what to do, if the system's limit forbids it.
void lock_memory();
// Throws the same if another `bytes` certainly cannot be locked.
void require_lockable(std::size_t bytes);

}  // namespace kvsplit
