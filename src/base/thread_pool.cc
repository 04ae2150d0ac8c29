#include "base/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/process.h"

namespace kvsplit {
namespace {

inline void cpu_relax() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Iterations of a spin loop for about 50 microseconds: longer than the serial code between the regions of a
// step, much shorter than an idle program's pauses. A pause takes 10 to 140 cycles, depending on the
// processor.
int spins_before_sleep() {
    using Clock = std::chrono::steady_clock;
    constexpr int kTurns = 500;
    const auto begin = Clock::now();
    for (int i = 0; i < kTurns; ++i) cpu_relax();
    const std::chrono::duration<double, std::micro> taken = Clock::now() - begin;
    return std::clamp(static_cast<int>(50.0 * kTurns / std::max(taken.count(), 0.1)), 200, 50000);
}

constexpr std::size_t kLeastStack = std::size_t{1} << 20;

std::uint32_t items_left(std::uint64_t offer) { return static_cast<std::uint32_t>(offer); }

}  // namespace

ThreadPool::ThreadPool(int n_threads)
    : n_threads_(std::max(1, n_threads)), spins_(n_threads_ > 1 ? spins_before_sleep() : 0) {
    starts_.reserve(static_cast<std::size_t>(n_threads_ - 1));
    for (int t = 1; t < n_threads_; ++t) starts_.push_back({this, t});
    workers_.reserve(starts_.size());
    start_workers();
    n_threads_ = 1 + static_cast<int>(workers_.size());
}

ThreadPool::~ThreadPool() {
    if (process_ != process_generation()) return;  // the workers stayed in the parent
    stop_.store(true);
    wakes_.fetch_add(1);
    wakes_.notify_all();
    for (const pthread_t worker : workers_) ::pthread_join(worker, nullptr);
}

// Starts size() - 1 workers, or as many as the system allows. Neither allocates nor throws.
void ThreadPool::start_workers() {
    process_ = process_generation();
    pthread_attr_t attributes;
    if (::pthread_attr_init(&attributes) != 0) return;
    // The default is the main thread's stack limit, which may be tiny.
    std::size_t stack = 0;
    ::pthread_attr_getstacksize(&attributes, &stack);
    ::pthread_attr_setstacksize(&attributes, std::max(stack, kLeastStack));
    for (int t = 1; t < n_threads_; ++t) {
        pthread_t worker;
        if (::pthread_create(&worker, &attributes, run_worker, &starts_[static_cast<std::size_t>(t - 1)]) !=
            0) {
            break;
        }
        workers_.push_back(worker);
    }
    ::pthread_attr_destroy(&attributes);
}

// In a child: drops the handles of the parent's workers and starts new ones.
void ThreadPool::start_again() {
    workers_.clear();
    sleepers_.store(0);
    start_workers();
}

void* ThreadPool::run_worker(void* start) {
    const auto [pool, thread] = *static_cast<const Start*>(start);
    pool->worker(thread);
    return nullptr;
}

// Takes and runs items until none are left.
void ThreadPool::take_items(int thread) {
    std::uint64_t offer = offer_.load(std::memory_order_acquire);
    while (items_left(offer) > 0) {
        if (!offer_.compare_exchange_weak(offer, offer - 1, std::memory_order_acquire)) continue;
        // The region cannot end before this item is done, so its description stays valid.
        try {
            work_(context_, n_items_ - static_cast<int>(items_left(offer)), thread);
        } catch (...) {
            if (!failed_.exchange(true)) exception_ = std::current_exception();
        }
        if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_all();
        offer = offer_.load(std::memory_order_acquire);
    }
}

// Spins until there is an offer newer than `seen`; false if none came in time.
bool ThreadPool::wait_for_work(std::uint64_t seen) const {
    for (int i = 0; i < spins_; ++i) {
        if (offer_.load(std::memory_order_acquire) != seen || stop_.load(std::memory_order_relaxed))
            return true;
        cpu_relax();
    }
    return false;
}

void ThreadPool::sleep(std::uint64_t seen) {
    sleepers_.fetch_add(1);
    const std::uint32_t wakes = wakes_.load();
    // A caller that offers work after this check sees a sleeper and changes wakes_.
    if (offer_.load() == seen && !stop_.load()) wakes_.wait(wakes);
    sleepers_.fetch_sub(1);
}

void ThreadPool::worker(int thread) {
    while (!stop_.load(std::memory_order_relaxed)) {
        const std::uint64_t seen = offer_.load(std::memory_order_acquire);
        if (items_left(seen) > 0) {
            take_items(thread);
        } else if (!wait_for_work(seen)) {
            sleep(seen);
        }
    }
}

void ThreadPool::run_region(int n, Work work, void* context) {
    begin_region(n, work, context);
    take_items(0);
    wait_for_others();
    if (failed_.load(std::memory_order_relaxed)) {
        failed_.store(false, std::memory_order_relaxed);
        std::rethrow_exception(std::exchange(exception_, nullptr));
    }
}

void ThreadPool::begin_region(int n, Work work, void* context) {
    if (process_ != process_generation()) start_again();
    work_ = work;
    context_ = context;
    n_items_ = n;
    unfinished_.store(static_cast<std::uint32_t>(n), std::memory_order_relaxed);
    const std::uint64_t number = (offer_.load(std::memory_order_relaxed) >> 32) + 1;
    offer_.store(number << 32 | static_cast<std::uint32_t>(n));
    if (sleepers_.load() > 0) {
        wakes_.fetch_add(1);
        wakes_.notify_all();
    }
}

// Waits until the region's items are done.
void ThreadPool::wait_for_others() {
    for (int i = 0; i < spins_; ++i) {
        if (unfinished_.load(std::memory_order_acquire) == 0) return;
        cpu_relax();
    }
    for (std::uint32_t left; (left = unfinished_.load(std::memory_order_acquire)) != 0;) {
        unfinished_.wait(left, std::memory_order_acquire);
    }
}

}  // namespace kvsplit
