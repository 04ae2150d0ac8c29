// Pages of a cache: disjoint, aligned, counted, reused.
#include "cache/page_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/memory.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KVSPLIT_SANITIZED 1
#else
#define KVSPLIT_SANITIZED 0
#endif

namespace kvsplit {
namespace {

// Enough for several slabs.
constexpr std::size_t kTotal = std::size_t{80} << 20;

std::vector<std::pair<Page, std::size_t>> fill(PageMemory& memory) {
    constexpr std::size_t kSizes[] = {64, 12'288, 20'032, 256 * 64, std::size_t{6} << 20};
    std::vector<std::pair<Page, std::size_t>> pages;
    for (std::size_t i = 0, total = 0; total < kTotal; total += pages.back().second, ++i) {
        const std::size_t bytes = i % 500 == 499 ? kSizes[4] : kSizes[i % 4];
        pages.emplace_back(memory.allocate(bytes), bytes);
    }
    return pages;
}

TEST(PageMemory, PagesAreAlignedApartAndCounted) {
    PageMemory memory;
    const auto pages = fill(memory);
    std::size_t total = 0;
    std::vector<std::pair<std::uintptr_t, std::size_t>> ranges;
    for (const auto& [page, bytes] : pages) {
        ranges.emplace_back(reinterpret_cast<std::uintptr_t>(page.get()), bytes);
        EXPECT_EQ(ranges.back().first % 64, 0u);
        total += bytes;
    }
    EXPECT_EQ(memory.bytes_in_use(), total);
    std::sort(ranges.begin(), ranges.end());
    for (std::size_t i = 1; i < ranges.size(); ++i) {
        ASSERT_LE(ranges[i - 1].first + ranges[i - 1].second, ranges[i].first);
    }
}

TEST(PageMemory, FreedPagesAreUsedAgain) {
    PageMemory memory;
    const Page kept = memory.allocate(128);
    auto pages = fill(memory);
    std::vector<std::byte*> before, after;
    for (const auto& [page, bytes] : pages) before.push_back(page.get());
    pages.clear();
    EXPECT_EQ(memory.bytes_in_use(), 128u);
    pages = fill(memory);
    for (const auto& [page, bytes] : pages) after.push_back(page.get());
    std::sort(before.begin(), before.end());
    std::sort(after.begin(), after.end());
    EXPECT_EQ(before, after);
}

TEST(PageMemory, TheLastPageTakesAllMemoryAlong) {
    const std::size_t before = current_rss();
    if (before == 0 || KVSPLIT_SANITIZED) GTEST_SKIP() << "this system, or a sanitizer, keeps memory";
    PageMemory memory;
    for (int round = 0; round < 2; ++round) {
        auto pages = fill(memory);
        for (const auto& [page, bytes] : pages) std::fill_n(page.get(), bytes, std::byte{7});
        EXPECT_GT(current_rss(), before + kTotal / 2);
        pages.clear();
        EXPECT_LT(current_rss(), before + kTotal / 4);
    }
}

TEST(PageMemory, FootprintEndsWithAHugePage) {
    EXPECT_EQ(PageMemory::footprint(0), 0u);
    EXPECT_EQ(PageMemory::footprint(64), 64u);
    std::size_t before = 0;
    for (std::size_t bytes = 64; bytes < kTotal; bytes += 64 * 1001) {
        const std::size_t all = PageMemory::footprint(bytes);
        EXPECT_GE(all, bytes);
        EXPECT_LT(all, bytes + kHugePage);
        EXPECT_GE(all, before);
        before = all;
    }
}

TEST(PageMemory, PagesOutliveIt) {
    std::vector<std::pair<Page, std::size_t>> pages;
    {
        PageMemory memory;
        pages = fill(memory);
    }
    for (const auto& [page, bytes] : pages) std::fill_n(page.get(), bytes, std::byte{7});
    for (const auto& [page, bytes] : pages) EXPECT_EQ(page.get()[bytes - 1], std::byte{7});
}

}  // namespace
}  // namespace kvsplit
