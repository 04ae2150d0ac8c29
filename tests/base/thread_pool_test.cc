// The thread pool: everything runs exactly once, and what one region wrote the next one sees. Run under the
// thread sanitizer as well (scripts/test.sh --sanitize).
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <vector>

namespace kvsplit {
namespace {

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, RunsOnEveryThreadOnce) {
    ThreadPool pool(GetParam());
    ASSERT_EQ(pool.size(), GetParam());
    std::vector<int> calls(static_cast<std::size_t>(pool.size()), 0);
    for (int region = 0; region < 200; ++region)
        pool.run([&](int t) { ++calls[static_cast<std::size_t>(t)]; });
    for (int n : calls) EXPECT_EQ(n, 200);
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

TEST_P(ThreadPoolTest, BarrierSeparatesPhases) {
    ThreadPool pool(GetParam());
    const std::size_t n = static_cast<std::size_t>(pool.size());
    for (int region = 0; region < 50; ++region) {
        std::vector<std::size_t> first(n, 0), second(n, 0);
        pool.run([&](int t) {
            const std::size_t me = static_cast<std::size_t>(t);
            first[me] = me + 1;
            pool.barrier();
            second[me] = first[(me + 1) % n];  // written by another thread before the barrier
            pool.barrier();
            first[me] = second[(me + 1) % n];
        });
        for (std::size_t t = 0; t < n; ++t) EXPECT_EQ(first[t], (t + 2) % n + 1);
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
    pool.run([&](int) { ++calls; });
    EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace kvsplit
