// The thread pool: every item runs exactly once, and a region sees the writes of the one before. Also run it
// under the thread sanitizer (scripts/test.sh --sanitize).
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

namespace kvsplit {
namespace {

class ThreadPoolTest : public testing::TestWithParam<int> {};

// Items of the same thread never run at the same time.
TEST_P(ThreadPoolTest, ThreadsDoOneItemAfterTheOther) {
    ThreadPool pool(GetParam());
    ASSERT_EQ(pool.size(), GetParam());
    std::vector<int> done(static_cast<std::size_t>(pool.size()), 0);
    for (int region = 0; region < 200; ++region)
        pool.for_each(50, [&](int, int thread) { ++done[static_cast<std::size_t>(thread)]; });
    EXPECT_EQ(std::accumulate(done.begin(), done.end(), 0), 200 * 50);
}

// A delayed thread delays the region by its current item only.
TEST_P(ThreadPoolTest, OthersTakeTheItemsOfOneThatIsHeldUp) {
    ThreadPool pool(GetParam());
    std::atomic<int> done{0};
    pool.for_each(20, [&](int i) {
        if (i == 0 && pool.size() > 1) {
            while (done.load() < 19) std::this_thread::yield();
        }
        ++done;
    });
    EXPECT_EQ(done, 20);
}

// Sleeping workers wake for the next region.
TEST_P(ThreadPoolTest, WakesAfterAPause) {
    ThreadPool pool(GetParam());
    for (int region = 0; region < 5; ++region) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        std::atomic<int> arrived{0};
        pool.for_each(pool.size(), [&](int) {  // ends only if every thread runs an item
            ++arrived;
            while (arrived.load() < pool.size()) std::this_thread::yield();
        });
        EXPECT_EQ(arrived, pool.size());
    }
}

TEST_P(ThreadPoolTest, ForEachTakesEachItemOnce) {
    ThreadPool pool(GetParam());
    for (int n : {0, 1, 2, 7, 1000}) {
        std::vector<int> taken(static_cast<std::size_t>(n), 0);
        pool.for_each(n, [&](int i) { ++taken[static_cast<std::size_t>(i)]; });
        EXPECT_EQ(std::accumulate(taken.begin(), taken.end(), 0), n);
        for (int count : taken) EXPECT_EQ(count, 1);
    }
}

TEST_P(ThreadPoolTest, LaterRegionsSeeWhatEarlierOnesWrote) {
    ThreadPool pool(GetParam());
    std::vector<long> values(997);
    std::iota(values.begin(), values.end(), 0L);
    const int n = static_cast<int>(values.size());
    for (int region = 0; region < 100; ++region) {
        pool.for_each(n, [&](int i) { values[static_cast<std::size_t>(i)] += 1; });
    }
    EXPECT_EQ(std::accumulate(values.begin(), values.end(), 0L), 997L * 996 / 2 + 997L * 100);
}

// More threads than the machine has cores: waiting threads must let the others run.
INSTANTIATE_TEST_SUITE_P(Sizes, ThreadPoolTest, testing::Values(1, 2, 3, 8),
                         [](const auto& instance) { return std::to_string(instance.param); });

TEST(ThreadPool, SizeIsAtLeastOne) {
    ThreadPool pool(0);
    EXPECT_EQ(pool.size(), 1);
    std::atomic<int> calls{0};
    pool.for_each(3, [&](int) { ++calls; });
    EXPECT_EQ(calls, 3);
}

TEST_P(ThreadPoolTest, AnExceptionReachesTheCaller) {
    ThreadPool pool(GetParam());
    for (int round = 0; round < 20; ++round) {
        EXPECT_THROW(pool.for_each(50,
                                   [](int i) {
                                       if (i % 10 == 7) throw std::bad_alloc();
                                   }),
                     std::bad_alloc);
        std::atomic<int> done{0};
        pool.for_each(50, [&](int) { ++done; });
        EXPECT_EQ(done, 50);
    }
}

}  // namespace
}  // namespace kvsplit
