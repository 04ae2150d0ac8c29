// ThreadPool: a fixed set of threads for short parallel regions, with little overhead.
//
// A step of a model is hundreds of regions, microseconds apart. Workers therefore spin briefly for the next
// region before they sleep. A region is over when its items are done, not when every thread has come: a
// worker that the system has put aside between two items keeps nobody waiting. The caller is thread 0.
//
// In a process that was forked from the pool's own, between two regions, there are no workers: they are
// started anew for the first region there. A pool that is not used in the child costs nothing there; it may
// be destroyed, also when the fork came during a region of another thread.
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
    // Of at least one thread, and of fewer than n_threads where the system makes no more: see size(). Throws
    // std::bad_alloc.
    explicit ThreadPool(int n_threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int size() const { return n_threads_; }

    // fn(item), or fn(item, thread) with thread in [0, size()), for each item in [0, n). Items are taken in
    // order by whichever thread is free; what one thread does, it does one item after the other. Returns when
    // all items are done. If fn throws, some of the items may be left out, and one of the exceptions reaches
    // the caller.
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
    std::uint32_t process_ = 0;       // process_generation() of the process that the workers are in
    std::vector<Start> starts_;       // what each worker begins with
    std::vector<pthread_t> workers_;  // no more than starts_; pthread_t, as they can be forgotten

    // The region: written before its items are offered, read only by threads that hold one of them.
    Work work_ = nullptr;
    void* context_ = nullptr;
    int n_items_ = 0;
    // What the first item that failed has thrown, from when failed_ is set to the end of the region.
    std::atomic<bool> failed_{false};
    std::exception_ptr exception_;

    // Region number << 32 | items not yet taken. One word, so that a thread cannot take an item of another
    // region than the one it saw.
    alignas(64) std::atomic<std::uint64_t> offer_{0};
    alignas(64) std::atomic<std::uint32_t> unfinished_{0};  // items of the region that are not done
    alignas(64) std::atomic<std::uint32_t> wakes_{0};       // what sleeping workers wait on
    std::atomic<int> sleepers_{0};
    std::atomic<bool> stop_{false};
};

}  // namespace kvsplit
