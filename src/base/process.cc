#include "base/process.h"

#include <pthread.h>

namespace kvsplit {
namespace {

std::atomic<std::uint32_t> generation{1};

void count_child() { generation.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

std::uint32_t process_generation() {
    static const int registered = ::pthread_atfork(nullptr, nullptr, count_child);
    static_cast<void>(registered);
    return generation.load(std::memory_order_relaxed);
}

bool ProcessMutex::lock() {
    const std::uint32_t self = process_generation();
    for (std::uint32_t seen = 0; !holder_.compare_exchange_weak(seen, self, std::memory_order_acquire);
         seen = 0) {
        if (seen == 0) continue;  // a spurious failure
        if (seen != self) return false;
        holder_.wait(seen, std::memory_order_relaxed);
    }
    return true;
}

void ProcessMutex::unlock() {
    holder_.store(0, std::memory_order_release);
    holder_.notify_one();
}

}  // namespace kvsplit
