// Memory of this process and of the machine, as the operating system tells it. Figures are bytes.
#pragma once

#include <cstddef>
#include <string>

namespace kvsplit {

// Memory that this process holds now; 0 where the system does not tell.
std::size_t current_rss();
// The most memory that this process has held since it began, or since the last reset; 0 where the system does
// not tell.
std::size_t peak_rss();
// The high-water mark starts again at what is held now. False where the system does not allow it.
bool reset_peak_rss();
// Gives memory that was freed, but is kept for the next allocation, back to the system: what is measured next
// does not hold what was needed before. Does nothing where the allocator cannot.
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

// Keeps all that this process holds out of swap, and all that it will hold, each page from its first use on.
// Throws Error(kOutOfMemory), saying what to do, where the system's limit forbids it.
void lock_memory();
// Throws the same where it is plain that `bytes` more could not be locked.
void require_lockable(std::size_t bytes);

}  // namespace kvsplit
