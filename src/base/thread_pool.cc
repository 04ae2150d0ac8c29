#include "base/thread_pool.h"

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kvsplit {
namespace {

inline void cpu_relax() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// About 30 microseconds of spinning: longer than the serial stretches between regions of one step, much
// shorter than the time between two steps of an idle program.
constexpr int kSpins = 2000;

// Spins, yields, then (if `sleep`) sleeps until value differs from old.
template <typename T>
void wait_while(const std::atomic<T>& value, T old, bool sleep) {
    for (int i = 0; i < kSpins; ++i) {
        if (value.load(std::memory_order_acquire) != old) return;
        cpu_relax();
    }
    while (value.load(std::memory_order_acquire) == old) {
        if (sleep) {
            value.wait(old, std::memory_order_acquire);
        } else {
            std::this_thread::yield();  // more threads than cores: let the one we wait for run
        }
    }
}

}  // namespace

ThreadPool::ThreadPool(int n_threads) : n_threads_(std::max(1, n_threads)) {
    threads_.reserve(static_cast<std::size_t>(n_threads_ - 1));
    for (int t = 1; t < n_threads_; ++t) threads_.emplace_back([this, t] { worker(t); });
}

ThreadPool::~ThreadPool() {
    stop_.store(true, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    for (auto& t : threads_) t.join();
}

void ThreadPool::worker(int thread) {
    std::uint32_t seen = 0;
    for (;;) {
        wait_while(generation_, seen, true);
        seen = generation_.load(std::memory_order_acquire);
        if (stop_.load(std::memory_order_relaxed)) return;
        fn_(context_, thread);
        running_.fetch_sub(1, std::memory_order_release);
    }
}

void ThreadPool::run_erased(void (*fn)(void*, int), void* context) {
    if (n_threads_ > 1) {
        fn_ = fn;
        context_ = context;
        running_.store(n_threads_ - 1, std::memory_order_relaxed);
        generation_.fetch_add(1, std::memory_order_release);
        generation_.notify_all();
    }
    fn(context, 0);
    for (int i = 0; running_.load(std::memory_order_acquire) != 0; ++i) {
        if (i < kSpins) {
            cpu_relax();
        } else {
            std::this_thread::yield();
        }
    }
}

void ThreadPool::barrier() {
    if (n_threads_ == 1) return;
    const std::uint32_t phase = phase_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == n_threads_ - 1) {
        arrived_.store(0, std::memory_order_relaxed);
        phase_.fetch_add(1, std::memory_order_release);
        return;
    }
    wait_while(phase_, phase, false);
}

}  // namespace kvsplit
