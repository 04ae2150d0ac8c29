#include "cache/page_memory.h"

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"

namespace kvsplit {
namespace {

// Beyond this much, pages are cut from slabs of huge pages. Before, the part of a slab that nobody uses would
// weigh too much.
constexpr std::size_t kWithoutSlabs = std::size_t{8} << 20;
constexpr std::size_t kSlab = std::size_t{32} << 20;
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kUseSlabs = false;  // inside them it would see no borders
#else
constexpr bool kUseSlabs = true;
#endif

}  // namespace

struct PageMemory::State {
    std::mutex mutex;  // of all but in_use
    std::unordered_map<std::size_t, std::vector<std::byte*>> free;
    std::vector<std::byte*> allocations;
    std::byte* slab = nullptr;  // what is left of the newest
    std::size_t slab_bytes = 0;
    std::size_t allocated = 0;  // bytes of all pages
    std::atomic<std::size_t> in_use{0};

    ~State() {
        for (std::byte* p : allocations) std::free(p);
    }

    // Null if there is no memory.
    std::byte* take(std::size_t bytes) {
        auto& list = free[bytes];
        if (!list.empty()) {
            std::byte* data = list.back();
            list.pop_back();
            return data;
        }
        std::byte* data = cut_from_slab(bytes);
        if (!data) data = allocate(64, bytes);
        if (data) allocated += bytes;
        return data;
    }

  private:
    std::byte* cut_from_slab(std::size_t bytes) {
        if (!kUseSlabs || allocated < kWithoutSlabs || bytes > kSlab / 8) return nullptr;
        if (slab_bytes < bytes) {
            std::byte* fresh = allocate(kHugePage, kSlab);
            if (!fresh) return nullptr;
            prefer_huge_pages(fresh, kSlab);
            slab = fresh;
            slab_bytes = kSlab;
        }
        std::byte* data = slab;
        slab += bytes;
        slab_bytes -= bytes;
        return data;
    }

    std::byte* allocate(std::size_t alignment, std::size_t bytes) {
        auto* data = static_cast<std::byte*>(std::aligned_alloc(alignment, bytes));
        if (data) allocations.push_back(data);
        return data;
    }
};

PageMemory::PageMemory() : state_(std::make_shared<State>()) {}

Page PageMemory::allocate(std::size_t bytes) {
    KVSPLIT_CHECK(bytes % 64 == 0);
    std::byte* data = nullptr;
    {
        std::lock_guard lock(state_->mutex);
        data = state_->take(bytes);
    }
    if (!data) fail(ErrorCode::kOutOfMemory, "out of memory for a cache page of {} bytes", bytes);
    state_->in_use.fetch_add(bytes, std::memory_order_relaxed);
    return Page(data, [state = state_, bytes](std::byte* p) {
        state->in_use.fetch_sub(bytes, std::memory_order_relaxed);
        std::lock_guard lock(state->mutex);
        state->free[bytes].push_back(p);
    });
}

std::size_t PageMemory::footprint(std::size_t bytes) {
    if (!kUseSlabs || bytes <= kWithoutSlabs) return bytes;
    return kWithoutSlabs + (bytes - kWithoutSlabs + kHugePage - 1) / kHugePage * kHugePage;
}

std::size_t PageMemory::bytes_in_use() const { return state_->in_use.load(std::memory_order_relaxed); }

}  // namespace kvsplit
