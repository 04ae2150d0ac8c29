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

// The size and alignment of the system's huge pages.
inline constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Asks for huge pages where [data, data + bytes), a multiple of kHugePage, will be used; a wish, nothing
// more.
void prefer_huge_pages(void* data, std::size_t bytes);

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
