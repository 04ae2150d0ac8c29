// ThreadPool: a fixed set of threads for short parallel regions, with little overhead.
//
// A step of a model is hundreds of regions, microseconds apart. Workers therefore spin briefly for the next
// region before they sleep. A region ends when its items are done, not when every thread has taken part, so a
// worker that is descheduled between two items does not delay it. The caller is thread 0.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace kvsplit {

// One caller at a time: for_each() must not be entered from two threads at once, nor from inside a region.
class ThreadPool {
  public:
    explicit ThreadPool(int n_threads);  // at least one
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int size() const { return n_threads_; }

    // fn(item), or fn(item, thread) with thread in [0, size()), for each item in [0, n). Free threads take
    // items in order; items with the same `thread` never overlap. fn must not throw. Returns when all items
    // are done.
    template <typename F>
    void for_each(int n, F&& fn) {
        using Fn = std::remove_reference_t<F>;
        if (n <= 1 || n_threads_ == 1) {
            for (int i = 0; i < n; ++i) call(fn, i, 0);
            return;
        }
        run_region(
            n, [](void* f, int item, int thread) { call(*static_cast<Fn*>(f), item, thread); },
            const_cast<void*>(static_cast<const void*>(&fn)));
    }

  private:
    using Work = void (*)(void* context, int item, int thread);

    template <typename F>
    static void call(F& fn, int item, int thread) {
        if constexpr (std::is_invocable_v<F&, int, int>) {
            fn(item, thread);
        } else {
            fn(item);
        }
    }

    void run_region(int n, Work work, void* context);
    void take_items(int thread);
    void worker(int thread);
    bool wait_for_work(std::uint64_t seen) const;
    void sleep(std::uint64_t seen);

    const int n_threads_;
    const int spins_;  // loop iterations before a thread sleeps
    std::vector<std::thread> threads_;

    // The region: written before its items are offered, read only by threads that hold one of them.
    Work work_ = nullptr;
    void* context_ = nullptr;
    int n_items_ = 0;

    // Region number << 32 | items not yet taken. One word, so that a thread cannot take an item of another
    // region than the one it saw.
    alignas(64) std::atomic<std::uint64_t> offer_{0};
    alignas(64) std::atomic<std::uint32_t> unfinished_{0};  // items of the region that are not done
    alignas(64) std::atomic<std::uint32_t> wakes_{0};       // what sleeping workers wait on
    std::atomic<int> sleepers_{0};
    std::atomic<bool> stop_{false};
};

}  // namespace kvsplit
