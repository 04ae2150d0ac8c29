// Memory of this process and of the machine, as reported by the operating system, in bytes.
#pragma once

#include <cstddef>
#include <string>

namespace kvsplit {

// The resident memory of this process; 0 if unknown.
std::size_t current_rss();
// The largest resident memory since the process started or since the last reset; 0 if unknown.
std::size_t peak_rss();
// Resets peak_rss() to the current value. False if the system does not allow it.
bool reset_peak_rss();
// Returns freed memory that the allocator keeps to the system, so that it does not count in later
// measurements. Does nothing if the allocator cannot.
void release_freed_memory();

// The size and alignment of the system's huge pages.
inline constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Asks for huge pages for [data, data + bytes), where bytes is a multiple of kHugePage. Only a hint.
void prefer_huge_pages(void* data, std::size_t bytes);

// Memory for new allocations: the machine's available memory, or what the process's control groups allow if
// that is less. Reclaimable memory (file caches) counts as available. 0 if unknown. `root` is put before
// /proc and /sys, for tests.
std::size_t available_memory(const std::string& root = "");

// Keeps all present and future memory of this process out of swap; each page is locked on first use. Throws
// Error(kOutOfMemory), saying what to do, if the system's limit forbids it.
void lock_memory();
// Throws the same if `bytes` more certainly cannot be locked.
void require_lockable(std::size_t bytes);

}  // namespace kvsplit
