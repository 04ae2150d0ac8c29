// Processes that fork, and processes that may not have the threads they ask for.
#include "base/process.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <thread>
#include <vector>

#include "base/thread_pool.h"

namespace kvsplit {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kThreadSanitizer = true;  // which ends children that start threads
#else
constexpr bool kThreadSanitizer = false;
#endif
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kAddressSanitizer = true;  // which has an address space of its own
#else
constexpr bool kAddressSanitizer = false;
#endif

// Whether fn() is true in a child, which ends without a signal and in time.
bool true_in_child(const std::function<bool()>& fn) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(20);
        ::_exit(fn() ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int sum_of_items(ThreadPool& pool, int n) {
    std::atomic<int> sum{0};
    pool.for_each(n, [&](int i) { sum += i; });
    return sum;
}

// Whether each thread of the pool takes part.
bool all_meet(ThreadPool& pool) {
    std::atomic<int> arrived{0};
    pool.for_each(pool.size(), [&](int) {
        ++arrived;
        while (arrived.load() < pool.size()) std::this_thread::yield();
    });
    return arrived == pool.size();
}

TEST(Process, ChildrenCountGenerations) {
    const std::uint32_t own = process_generation();
    EXPECT_TRUE(true_in_child([&] {
        return process_generation() == own + 1 &&
               true_in_child([&] { return process_generation() == own + 2; });
    }));
    EXPECT_EQ(process_generation(), own);
}

TEST(Process, AMutexTellsAChildThatItsHolderStayedBehind) {
    ProcessMutex mutex;
    EXPECT_TRUE(true_in_child([&] { return static_cast<bool>(ProcessLock(mutex)); }));
    ASSERT_TRUE(mutex.lock());
    EXPECT_TRUE(true_in_child([&] { return !mutex.lock() && !mutex.lock(); }));
    mutex.unlock();
    EXPECT_TRUE(ProcessLock(mutex));
}

TEST(Process, AMutexKeepsThreadsApart) {
    ProcessMutex mutex;
    int count = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 2000; ++i) {
                const ProcessLock lock(mutex);
                ++count;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(count, 4 * 2000);
}

TEST(ThreadPoolInAChild, IsFreedOrStartsAgain) {
    auto pool = std::make_unique<ThreadPool>(4);
    ASSERT_TRUE(all_meet(*pool));
    EXPECT_TRUE(true_in_child([&] {
        pool.reset();
        return true;
    }));
    if (!kThreadSanitizer) {
        const auto use_and_free = [&] {
            const bool met = all_meet(*pool) && sum_of_items(*pool, 100) == 4950;
            pool.reset();
            return met;
        };
        EXPECT_TRUE(true_in_child(use_and_free));
        EXPECT_TRUE(true_in_child([&] { return all_meet(*pool) && true_in_child(use_and_free); }));
    }
    EXPECT_TRUE(all_meet(*pool));
}

// A child while another thread is inside a region: it can leave, with and without freeing the pool.
TEST(ThreadPoolInAChild, IsFreedWhateverTheParentDoes) {
    auto pool = std::make_unique<ThreadPool>(3);
    std::atomic<bool> stop{false};
    std::thread user([&] {
        while (!stop) sum_of_items(*pool, 200);
    });
    for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(true_in_child([&] {
            pool.reset();
            return true;
        }));
    }
    stop = true;
    user.join();
}

// Address space for a few stacks only, as it takes no other right to set such a limit.
void leave_room_for_few_threads() {
    long pages = 0;
    if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(f, "%ld", &pages) != 1) pages = 0;
        std::fclose(f);
    }
    const rlimit limit{static_cast<rlim_t>(pages) * 4096 + (rlim_t{40} << 20), RLIM_INFINITY};
    ::setrlimit(RLIMIT_AS, &limit);
}

TEST(ThreadPoolWithoutThreads, GoesOnWithThoseThereAre) {
    if (kThreadSanitizer || kAddressSanitizer) GTEST_SKIP() << "sanitizers need their address space";
    EXPECT_TRUE(true_in_child([&] {
        leave_room_for_few_threads();
        ThreadPool pool(64);
        return pool.size() >= 1 && pool.size() < 64 && sum_of_items(pool, 1000) == 499500;
    }));
}

}  // namespace
}  // namespace kvsplit
