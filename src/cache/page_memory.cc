#include "cache/page_memory.h"

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "base/error.h"

namespace kvsplit {

struct PageMemory::State {
    std::mutex mutex;
    std::unordered_map<std::size_t, std::vector<std::byte*>> free;
    std::atomic<std::size_t> in_use{0};

    ~State() {
        for (auto& [bytes, list] : free) {
            for (std::byte* p : list) std::free(p);
        }
    }
};

PageMemory::PageMemory() : state_(std::make_shared<State>()) {}

Page PageMemory::allocate(std::size_t bytes) {
    KVSPLIT_CHECK(bytes % 64 == 0);
    std::byte* data = nullptr;
    {
        std::lock_guard lock(state_->mutex);
        auto& list = state_->free[bytes];
        if (!list.empty()) {
            data = list.back();
            list.pop_back();
        }
    }
    if (!data) data = static_cast<std::byte*>(std::aligned_alloc(64, bytes));
    if (!data) fail(ErrorCode::kOutOfMemory, "out of memory for a cache page of {} bytes", bytes);
    state_->in_use.fetch_add(bytes, std::memory_order_relaxed);
    return Page(data, [state = state_, bytes](std::byte* p) {
        state->in_use.fetch_sub(bytes, std::memory_order_relaxed);
        std::lock_guard lock(state->mutex);
        state->free[bytes].push_back(p);
    });
}

std::size_t PageMemory::bytes_in_use() const { return state_->in_use.load(std::memory_order_relaxed); }

}  // namespace kvsplit
