// ThreadPool: a fixed team that runs one function on all its threads, again and again, with little delay.
//
// A step of a model is hundreds of short parallel regions, microseconds apart. Workers therefore spin briefly
// for the next region before they sleep. The caller is thread 0 of the team.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace kvsplit {

// One caller at a time: run() must not be entered from two threads at once, nor from inside a region.
class ThreadPool {
  public:
    explicit ThreadPool(int n_threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int size() const { return n_threads_; }

    // fn(thread) on every thread, thread in [0, size()). fn must not throw. Returns when all are done.
    template <typename F>
    void run(F&& fn) {
        using Fn = std::remove_reference_t<F>;
        run_erased([](void* f, int thread) { (*static_cast<Fn*>(f))(thread); },
                   const_cast<void*>(static_cast<const void*>(&fn)));
    }

    // fn(item) for each item in [0, n), shared out dynamically in any order.
    template <typename F>
    void for_each(int n, F&& fn) {
        if (n <= 1 || n_threads_ == 1) {
            for (int i = 0; i < n; ++i) fn(i);
            return;
        }
        next_.store(0, std::memory_order_relaxed);
        run([&](int) {
            for (int i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < n;) fn(i);
        });
    }

    // Waits until every thread of the team is here. Only inside run(), by all threads alike.
    void barrier();

  private:
    void run_erased(void (*fn)(void*, int), void* context);
    void worker(int thread);

    int n_threads_;
    std::vector<std::thread> threads_;
    void (*fn_)(void*, int) = nullptr;
    void* context_ = nullptr;
    alignas(64) std::atomic<std::uint32_t> generation_{0};  // counts regions; a change starts one
    alignas(64) std::atomic<int> running_{0};               // workers still inside the region
    alignas(64) std::atomic<int> arrived_{0};               // threads at the barrier
    alignas(64) std::atomic<std::uint32_t> phase_{0};       // counts barriers
    alignas(64) std::atomic<int> next_{0};                  // for_each's counter
    std::atomic<bool> stop_{false};
};

}  // namespace kvsplit
