// ThreadPool: a fixed set of threads for short parallel regions, with little overhead.
//
// A step of a model is hundreds of regions, microseconds apart, so workers spin briefly for the next region
// before they sleep. A region ends when its items are done, even if some workers never joined: a worker that
// the system preempts between items delays nobody. The caller is thread 0.
//
// In a child forked between two regions, the first region starts new workers. A pool that the child does not
// use costs nothing there; it may be destroyed, even if the fork came during another thread's region.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <type_traits>
#include <vector>

namespace kvsplit {

// One caller at a time: for_each() must not be entered from two threads at once, nor from inside a region.
class ThreadPool {
  public:
    // Has fewer than n_threads, but at least one, if the system allows no more: see size(). Throws
    // std::bad_alloc.
    explicit ThreadPool(int n_threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int size() const { return n_threads_; }

    // fn(item), or fn(item, thread) with thread in [0, size()), for each item in [0, n). Free threads take
    // items in order, one at a time. Returns when all items are done. If fn throws, some items may be
    // skipped, and the caller gets one of the exceptions.
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

    struct Start {
        ThreadPool* pool;
        int thread;
    };

    void start_workers();
    void start_again();
    static void* run_worker(void* start);
    void run_region(int n, Work work, void* context);
    void begin_region(int n, Work work, void* context);
    void take_items(int thread);
    void wait_for_others();
    void worker(int thread);
    bool wait_for_work(std::uint64_t seen) const;
    void sleep(std::uint64_t seen);

    int n_threads_;
    const int spins_;                 // turns of a loop before a thread sleeps
    std::uint32_t process_ = 0;       // process_generation() of the workers' process
    std::vector<Start> starts_;       // argument of each worker
    std::vector<pthread_t> workers_;  // at most one per start; pthread_t can be dropped without joining

    // The region: written before its items are offered, read only by threads that hold an item.
    Work work_ = nullptr;
    void* context_ = nullptr;
    int n_items_ = 0;
    // The first failed item's exception, from when failed_ is set to the end of the region.
    std::atomic<bool> failed_{false};
    std::exception_ptr exception_;

    // Region number << 32 | items not yet taken. One word, so that a thread can only take items of the region
    // that it saw.
    alignas(64) std::atomic<std::uint64_t> offer_{0};
    alignas(64) std::atomic<std::uint32_t> unfinished_{0};  // unfinished items of the region
    alignas(64) std::atomic<std::uint32_t> wakes_{0};       // sleeping workers wait on it
    std::atomic<int> sleepers_{0};
    std::atomic<bool> stop_{false};
};

}  // namespace kvsplit
