#include "cache/page_memory.h"

#include <atomic>
#include <cstdlib>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/process.h"

namespace kvsplit {
namespace {

// Pages beyond this total are cut from slabs of huge pages. In a smaller cache the unused part of a slab
// would cost too much.
constexpr std::size_t kWithoutSlabs = std::size_t{8} << 20;
constexpr std::size_t kSlab = std::size_t{32} << 20;
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kUseSlabs = false;  // the sanitizer sees no borders inside them
#else
constexpr bool kUseSlabs = true;
#endif

}  // namespace

struct PageMemory::State {
    ~State() {
        const ProcessLock lock(mutex);
        if (lock) free_all();
    }

    // Null if there is no memory.
    std::byte* take(std::size_t bytes) {
        const ProcessLock lock(mutex);
        if (!lock)
            fail(ErrorCode::kUnsupported, "this process was forked while another thread used the cache");
        std::byte* data = take_freed_or_new(bytes);
        if (data) in_use += bytes;
        return data;
    }

    void give_back(std::byte* data, std::size_t bytes) noexcept {
        const ProcessLock lock(mutex);
        if (!lock) return;                                // leaked: in a child the lists may be inconsistent
        sizes.find(bytes)->second.freed.push_back(data);  // has room: see take_freed_or_new()
        in_use -= bytes;
        if (in_use == 0) free_all();
    }

    std::atomic<std::size_t> in_use{0};  // written under the mutex

  private:
    struct Size {
        std::vector<std::byte*> freed;
        std::size_t pages = 0;  // freed or in use
    };
    struct Allocation {
        std::byte* data;
        std::size_t bytes;
    };

    std::byte* take_freed_or_new(std::size_t bytes) {
        Size& size = sizes[bytes];
        if (!size.freed.empty()) {
            std::byte* data = size.freed.back();
            size.freed.pop_back();
            return data;
        }
        make_room(size.freed, size.pages + 1);
        std::byte* data = cut_from_slab(bytes);
        if (!data) data = allocate(bytes);
        if (!data) return nullptr;
        ++size.pages;
        allocated += bytes;
        return data;
    }

    std::byte* cut_from_slab(std::size_t bytes) {
        if (!kUseSlabs || allocated < kWithoutSlabs || bytes > kSlab / 8) return nullptr;
        if (slab_bytes < bytes) {
            std::byte* fresh = allocate(kSlab);
            if (!fresh) return nullptr;
            slab = fresh;
            slab_bytes = kSlab;
        }
        std::byte* data = slab;
        slab += bytes;
        slab_bytes -= bytes;
        return data;
    }

    std::byte* allocate(std::size_t bytes) {
        make_room(allocations, allocations.size() + 1);
        auto* data = static_cast<std::byte*>(allocate_memory(bytes));
        if (data) allocations.push_back({data, bytes});
        return data;
    }

    void free_all() noexcept {
        for (const Allocation& a : allocations) free_memory(a.data, a.bytes);
        allocations.clear();
        sizes.clear();
        slab = nullptr;
        slab_bytes = allocated = 0;
    }

    // After this, no push_back() up to n elements can fail.
    template <typename T>
    static void make_room(std::vector<T>& list, std::size_t n) {
        if (list.capacity() < n) list.reserve(2 * n);
    }

    ProcessMutex mutex;
    std::unordered_map<std::size_t, Size> sizes;  // by the bytes of a page
    std::vector<Allocation> allocations;
    std::byte* slab = nullptr;  // rest of the newest one
    std::size_t slab_bytes = 0;
    std::size_t allocated = 0;  // bytes of all pages
};

PageMemory::PageMemory() : state_(std::make_shared<State>()) {}

Page PageMemory::allocate(std::size_t bytes) {
    KVSPLIT_CHECK(bytes % 64 == 0);
    std::byte* data = state_->take(bytes);
    if (!data) fail(ErrorCode::kOutOfMemory, "out of memory for a cache page of {} bytes", bytes);
    return Page(data, [state = state_, bytes](std::byte* p) { state->give_back(p, bytes); });
}

std::size_t PageMemory::footprint(std::size_t bytes) {
    if (!kUseSlabs || bytes <= kWithoutSlabs) return bytes;
    return kWithoutSlabs + (bytes - kWithoutSlabs + kHugePage - 1) / kHugePage * kHugePage;
}

std::size_t PageMemory::bytes_in_use() const { return state_->in_use.load(std::memory_order_relaxed); }

}  // namespace kvsplit
