#include "lab/read_bandwidth.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>

#include "base/memory.h"
#include "base/thread_pool.h"

namespace kvsplit::lab {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr int kPasses = 5;
constexpr int kParts = 16;  // for each thread

// Several times the last-level cache, but at most a quarter of the free memory.
std::size_t buffer_bytes() {
    const long cache = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
    const std::size_t wanted =
        std::clamp(4 * static_cast<std::size_t>(std::max(cache, 0L)), 256 * kMiB, 1024 * kMiB);
    const std::size_t available = available_memory();
    return available > 0 ? std::min(wanted, available / 4) : wanted;
}

std::uint64_t sum(const std::uint64_t* from, std::size_t n) {
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < n; ++i) total += from[i];
    return total;
}

}  // namespace

double measure_read_bandwidth(int threads) {
    const int parts = threads * kParts;
    const std::size_t part = buffer_bytes() / sizeof(std::uint64_t) / static_cast<std::size_t>(parts);
    const std::size_t n = part * static_cast<std::size_t>(parts);
    const std::unique_ptr<std::uint64_t[]> buffer(new (std::nothrow) std::uint64_t[n]);
    if (!buffer || n == 0) return 0;

    ThreadPool pool(threads);
    const auto part_of = [&](int i) { return buffer.get() + static_cast<std::size_t>(i) * part; };
    pool.for_each(parts, [&](int i) { std::fill_n(part_of(i), part, 1); });  // allocates the pages
    std::atomic<std::uint64_t> total{0};  // keeps the loop from being optimised away
    double best = 0;
    for (int pass = 0; pass < kPasses; ++pass) {
        const auto start = std::chrono::steady_clock::now();
        pool.for_each(parts, [&](int i) { total += sum(part_of(i), part); });
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
        best = std::max(best, static_cast<double>(n * sizeof(std::uint64_t)) / time.count());
    }
    return total == kPasses * n ? best / 1e9 : 0;
}

}  // namespace kvsplit::lab
