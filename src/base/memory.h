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
// Returns freed memory that the allocator keeps to the system, so that it does not count in later
// measurements. Does nothing if the allocator cannot.
void release_freed_memory();

// `bytes` of memory, contents undefined: on a border of 64 bytes, or of a huge page where there are that
// many, which is then asked for. Null if there is none. What is large comes from the system and goes straight
// back to it: malloc would keep it after a model was freed.
void* allocate_memory(std::size_t bytes);
// `bytes`: as they were asked for. Null is fine.
void free_memory(void* data, std::size_t bytes);

// The size and alignment of the system's huge pages.
inline constexpr std::size_t kHugePage = std::size_t{2} << 20;
// What new allocations may take: the machine's available memory, or what the limits of the process's control
// groups leave where that is less; memory that the system would give back (file caches) counts as available.
// 0 where the system does not tell. `root` stands before /proc and /sys, for tests.
std::size_t available_memory(const std::string& root = "");

// Keeps all present and future memory of this process out of swap; each page is locked on first use. Throws
// Error(kOutOfMemory), saying what to do, if the system's limit forbids it.
void lock_memory();
// Throws the same if `bytes` more certainly cannot be locked.
void require_lockable(std::size_t bytes);

}  // namespace kvsplit
