#include "base/memory.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

#include "base/control_groups.h"
#include "base/error.h"

namespace kvsplit {
namespace {

// The number after `name` in a file of lines "name number ..."; nullopt if absent.
std::optional<std::size_t> read_field(const std::string& path, std::string_view name) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string word;
        std::size_t value = 0;
        if (words >> word && word == name && words >> value) return value;
    }
    return std::nullopt;
}

// The number in a file; nullopt for "max" or if the file does not exist.
std::optional<std::size_t> read_number(const std::string& path) {
    std::size_t value = 0;
    std::ifstream file(path);
    if (!(file >> value)) return std::nullopt;
    return value;
}

// The names of a control group's files, which differ between interface versions.
struct GroupFiles {
    const char *limit, *usage, *reclaimable;  // reclaimable: a field of memory.stat
};
constexpr GroupFiles kVersion1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr GroupFiles kVersion2{"memory.max", "memory.current", "inactive_file"};

// Memory left within the limit of one control group; nullopt without a limit.
std::optional<std::size_t> left_in_group(const std::string& folder, const GroupFiles& files) {
    const auto limit = read_number(folder + files.limit);
    const auto usage = read_number(folder + files.usage);
    if (!limit || !usage) return std::nullopt;
    const auto reclaimable = read_field(folder + "memory.stat", files.reclaimable).value_or(0);
    const std::size_t held = *usage - std::min(*usage, reclaimable);
    return *limit - std::min(*limit, held);
}

std::optional<std::size_t> left_in_groups(const std::string& root) {
    std::optional<std::size_t> least;
    for (const ControlGroup& group : control_groups("memory", root)) {
        const auto left = left_in_group(group.folder, group.version == 2 ? kVersion2 : kVersion1);
        if (left) least = std::min(*left, least.value_or(*left));
    }
    return least;
}

// Bytes that the process may lock; nullopt: no limit.
std::optional<std::size_t> lock_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
    return static_cast<std::size_t>(limit.rlim_cur);
}

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kFromSystem = SIZE_MAX;  // the sanitizer watches the borders of malloc's blocks
#else
constexpr std::size_t kFromSystem = std::size_t{128} << 10;
#endif

std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

// Maps whole pages, aligned to `alignment`. Null if there is no memory.
void* map_aligned(std::size_t bytes, std::size_t alignment) {
    const std::size_t page = page_size(), more = alignment - page;
    void* mapped = ::mmap(nullptr, bytes + more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    auto* begin = static_cast<std::byte*>(mapped);
    const std::size_t before = -reinterpret_cast<std::uintptr_t>(begin) % alignment;
    if (before > 0) ::munmap(begin, before);
    if (more > before) ::munmap(begin + before + bytes, more - before);
    return begin + before;
}

[[noreturn]] void refuse_lock(const std::string& why) {
    const auto limit = lock_limit();
    fail(ErrorCode::kOutOfMemory,
         "memory cannot be locked: {}; the limit is {}. Raise it with 'ulimit -l unlimited' (as root, in "
         "/etc/security/limits.conf or as LimitMEMLOCK= of a service), or leave --mlock out",
         why, limit ? fmt::format("{:.1f} MiB", static_cast<double>(*limit) / (1 << 20)) : "not the cause");
}

}  // namespace

std::size_t page_size() {
    static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
}

std::size_t current_rss() { return 1024 * read_field("/proc/self/status", "VmRSS:").value_or(0); }

std::size_t peak_rss() { return 1024 * read_field("/proc/self/status", "VmHWM:").value_or(0); }

bool reset_peak_rss() {
    std::ofstream file("/proc/self/clear_refs");
    file << "5" << std::flush;
    return file.good();
}

void release_freed_memory() {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void* allocate_memory(std::size_t bytes) {
    constexpr std::size_t kLine = 64;
    if (bytes > PTRDIFF_MAX) return nullptr;
    if (bytes < kFromSystem) return std::aligned_alloc(kLine, round_up(bytes, kLine));
    const bool huge = bytes >= kHugePage;
    void* data = map_aligned(round_up(bytes, page_size()), huge ? kHugePage : page_size());
#ifdef MADV_HUGEPAGE
    // Fewer TLB misses. Only a hint: a refusal is no error.
    if (data && huge) ::madvise(data, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
    return data;
}

void free_memory(void* data, std::size_t bytes) {
    if (bytes < kFromSystem) {
        std::free(data);
    } else if (data) {
        ::munmap(data, round_up(bytes, page_size()));
    }
}

void lock_memory() {
    if (::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) refuse_lock(errno_text(errno));
}

void require_lockable(std::size_t bytes) {
    const auto limit = lock_limit();
    if (::geteuid() == 0 || !limit || bytes <= *limit) return;
    refuse_lock(fmt::format("{:.1f} MiB are needed", static_cast<double>(bytes) / (1 << 20)));
}

std::size_t available_memory(const std::string& root) {
    const std::size_t machine = 1024 * read_field(root + "/proc/meminfo", "MemAvailable:").value_or(0);
    const auto groups = left_in_groups(root);
    return groups && machine ? std::min(machine, *groups) : machine;
}

}  // namespace kvsplit
