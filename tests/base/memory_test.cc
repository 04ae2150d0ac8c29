// Free memory, read from made-up /proc and /sys trees.
#include "base/memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "base/made_up_machine.h"
#include "kvsplit/error.h"

namespace kvsplit {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

class Machine : public MadeUpMachine {
  protected:
    void write_meminfo(std::size_t available) {
        write("proc/meminfo", "MemTotal:       9999999 kB\nMemFree:          11111 kB\nMemAvailable:    " +
                                  std::to_string(available / 1024) + " kB\n");
    }
    std::size_t available() const { return available_memory(root()); }
};

TEST_F(Machine, WithoutLimits) {
    EXPECT_EQ(available(), 0u);
    write_meminfo(800 * kMiB);
    EXPECT_EQ(available(), 800 * kMiB);
    write("proc/self/cgroup", "0::/user.slice\n");
    write("sys/fs/cgroup/user.slice/memory.max", "max\n");
    write("sys/fs/cgroup/user.slice/memory.current", "12345\n");
    EXPECT_EQ(available(), 800 * kMiB);
}

TEST_F(Machine, TheTightestGroupOnThePathDecides) {
    write_meminfo(800 * kMiB);
    write("proc/self/cgroup", "0::/outer/inner\n");
    write("sys/fs/cgroup/outer/inner/memory.max", std::to_string(700 * kMiB));
    write("sys/fs/cgroup/outer/inner/memory.current", std::to_string(50 * kMiB));
    EXPECT_EQ(available(), 650 * kMiB);
    write("sys/fs/cgroup/outer/memory.max", std::to_string(400 * kMiB));
    write("sys/fs/cgroup/outer/memory.current", std::to_string(300 * kMiB));
    EXPECT_EQ(available(), 100 * kMiB);
    // File caches can be reclaimed.
    write("sys/fs/cgroup/outer/memory.stat", "anon 1\ninactive_file " + std::to_string(30 * kMiB) + "\n");
    EXPECT_EQ(available(), 130 * kMiB);
}

TEST_F(Machine, AGroupOverItsLimitLeavesNothing) {
    write_meminfo(800 * kMiB);
    write("proc/self/cgroup", "0::/\n");
    write("sys/fs/cgroup/memory.max", std::to_string(10 * kMiB));
    write("sys/fs/cgroup/memory.current", std::to_string(11 * kMiB));
    EXPECT_EQ(available(), 0u);
}

TEST_F(Machine, TheOlderInterface) {
    write_meminfo(800 * kMiB);
    write("proc/self/cgroup", "5:cpu:/a\n4:hugetlb,memory:/a\n0::/\n");
    write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", std::to_string(300 * kMiB));
    write("sys/fs/cgroup/memory/a/memory.usage_in_bytes", std::to_string(100 * kMiB));
    write("sys/fs/cgroup/memory/a/memory.stat", "total_inactive_file " + std::to_string(20 * kMiB) + "\n");
    EXPECT_EQ(available(), 220 * kMiB);
}

TEST_F(Machine, DamagedFilesAreNoLimits) {
    write_meminfo(800 * kMiB);
    write("proc/self/cgroup", "nonsense\n0::relative\n:\n0::/x\n");
    write("sys/fs/cgroup/x/memory.max", "lots");
    write("sys/fs/cgroup/x/memory.current", "");
    EXPECT_EQ(available(), 800 * kMiB);
}

TEST(ThisProcess, PeakGrowsAndStartsAgain) {
    const std::size_t before = peak_rss();
    if (before == 0) GTEST_SKIP() << "this system does not tell";
    { std::vector<char> memory(64 * kMiB, 1); }
    EXPECT_GT(peak_rss(), before + 50 * kMiB);
#if !defined(__SANITIZE_ADDRESS__)  // the sanitizer keeps freed memory for a while
    if (reset_peak_rss()) {
        EXPECT_LT(peak_rss(), before + 50 * kMiB);
    }
#endif
    EXPECT_GT(available_memory(), 0u);
}

// Also after others were freed, which makes malloc keep more.
TEST(ThisProcess, LargeMemoryGoesBackToTheSystem) {
    const std::size_t before = current_rss();
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "sanitizers keep freed memory";
#endif
    if (before == 0) GTEST_SKIP() << "this system does not tell";
    for (int round = 0; round < 3; ++round) {
        std::vector<std::pair<void*, std::size_t>> blocks;
        for (const std::size_t bytes : {200 * kMiB / 1024, kMiB, 3 * kMiB, 20 * kMiB, std::size_t{100}}) {
            for (int i = 0; i < 3; ++i) {
                void* data = allocate_memory(bytes);
                ASSERT_NE(data, nullptr);
                EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % (bytes >= kHugePage ? kHugePage : 64), 0u);
                std::memset(data, 1, bytes);
                blocks.emplace_back(data, bytes);
            }
        }
        EXPECT_GT(current_rss(), before + 60 * kMiB);
        for (std::size_t i = 0; i < blocks.size(); i += 2) free_memory(blocks[i].first, blocks[i].second);
        for (std::size_t i = 1; i < blocks.size(); i += 2) free_memory(blocks[i].first, blocks[i].second);
        EXPECT_LT(current_rss(), before + 5 * kMiB);
    }
    EXPECT_EQ(allocate_memory(SIZE_MAX), nullptr);
    EXPECT_EQ(allocate_memory(std::size_t{1} << 60), nullptr);
    free_memory(nullptr, kMiB);
}

TEST(ThisProcess, LocksMemoryOrSaysWhatToDo) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "sanitizers map more than can be locked";
#endif
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_MEMLOCK, &before), 0);
    const rlimit little{kMiB, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_MEMLOCK, &little), 0);
    EXPECT_NO_THROW(require_lockable(kMiB));
    for (const auto& lock : {std::function<void()>([] { require_lockable(2 * kMiB); }),
                             std::function<void()>([] { lock_memory(); })}) {
        try {
            lock();
            EXPECT_EQ(::geteuid(), 0u) << "only root may lock beyond the limit";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
            EXPECT_NE(std::string(error.what()).find("1.0 MiB"), std::string::npos) << error.what();
            EXPECT_NE(std::string(error.what()).find("ulimit -l"), std::string::npos) << error.what();
        }
    }
    ::munlockall();
    ::setrlimit(RLIMIT_MEMLOCK, &before);
}

}  // namespace
}  // namespace kvsplit
