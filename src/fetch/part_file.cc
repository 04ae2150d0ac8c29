#include "fetch/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <random>
#include <utility>

#include "base/error.h"
#include "fetch/file_lock.h"
#include "fetch/sha256.h"

namespace kvsplit::fetch {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMarkSize = 16;
constexpr std::string_view kUnknownVersion = "0000000000000000";
constexpr auto kStale = std::chrono::hours(24 * 14);

std::string part_path(const fs::path& target, const std::string& mark) {
    return fmt::format("{}.{}.part", target.string(), mark);
}

// The text between the target's name and ".part" in a part's name; "" for other files.
std::string middle_of(const fs::path& part, const fs::path& target) {
    const std::string name = part.filename().string(), begin = target.filename().string() + ".";
    constexpr std::string_view kEnd = ".part";
    if (name.size() <= begin.size() + kEnd.size() || !name.starts_with(begin) || !name.ends_with(kEnd))
        return "";
    const std::string middle = name.substr(begin.size(), name.size() - begin.size() - kEnd.size());
    return middle.find_first_not_of("0123456789abcdef.") == middle.npos ? middle : "";
}

bool is_open_elsewhere(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return false;
    const bool taken = try_lock(fd) == LockResult::kTaken;
    ::close(fd);
    return taken;
}

bool is_stale(const fs::directory_entry& entry) {
    std::error_code error;
    const auto written = entry.last_write_time(error);
    return !error && fs::file_time_type::clock::now() - written > kStale;
}

}  // namespace

PartFile::PartFile(const fs::path& target, std::string mark, bool locked)
    : kept_path_(part_path(target, mark)), path_(kept_path_), mark_(std::move(mark)) {
    if (!locked) {
        path_ = part_path(target, fmt::format("{}.{:08x}", mark_, std::random_device()()));
        // Only one of several programs gets the kept part.
        if (::rename(kept_path_.c_str(), path_.c_str()) != 0 && errno != ENOENT) fail_to_write(path_, errno);
    }
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd_ < 0) fail_to_write(path_, errno);
    if (try_lock(fd_) == LockResult::kTaken) {
        ::close(fd_);
        fail(ErrorCode::kIo, "{}: another program is loading this file", path_);
    }
    ::futimens(fd_, nullptr);  // not stale any more
    size_ = static_cast<std::uint64_t>(std::max<off_t>(::lseek(fd_, 0, SEEK_END), 0));
    if (!is_of_known_version()) clear();
}

PartFile::~PartFile() {
    if (!gone_ && size_ == 0) ::unlink(path_.c_str());
    if (!gone_ && size_ > 0 && path_ != kept_path_) ::rename(path_.c_str(), kept_path_.c_str());
    ::close(fd_);
}

bool PartFile::is_of_known_version() const { return mark_ != kUnknownVersion; }

void PartFile::clear() {
    if (::ftruncate(fd_, 0) != 0 || ::lseek(fd_, 0, SEEK_SET) != 0) fail_to_write(path_, errno);
    size_ = 0;
}

void PartFile::append(const char* data, std::size_t n) {
    while (n > 0) {
        const ssize_t written = ::write(fd_, data, n);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail_to_write(path_, errno);
        data += written;
        n -= static_cast<std::size_t>(written);
        size_ += static_cast<std::uint64_t>(written);
    }
}

void PartFile::discard() {
    ::unlink(path_.c_str());
    gone_ = true;
}

void PartFile::move_to(const fs::path& target) {
    // Some file systems report a full disk only now.
    if (::fsync(fd_) != 0 && errno != EINVAL && errno != ENOSYS) fail_to_write(path_, errno);
    if (::rename(path_.c_str(), target.c_str()) != 0) fail_to_write(target.string(), errno);
    gone_ = true;
}

std::string mark_of(const std::string& identity) {
    return identity.empty() ? std::string(kUnknownVersion) : sha256_of_text(identity).substr(0, kMarkSize);
}

std::string find_part(const fs::path& target) {
    std::string found;
    fs::file_time_type newest = fs::file_time_type::min();
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(target.parent_path(), error)) {
        const std::string mark = middle_of(entry.path(), target);
        const auto written = entry.last_write_time(error);
        if (mark.size() != kMarkSize || mark == kUnknownVersion || error || written <= newest) continue;
        newest = written;
        found = mark;
    }
    return found;
}

std::uint64_t largest_part(const fs::path& target) {
    std::uint64_t most = 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(target.parent_path(), error)) {
        if (middle_of(entry.path(), target).empty()) continue;
        if (const auto bytes = entry.file_size(error); !error) most = std::max<std::uint64_t>(most, bytes);
    }
    return most;
}

void remove_other_parts(const fs::path& target) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(target.parent_path(), error)) {
        const std::string middle = middle_of(entry.path(), target);
        if (middle.empty() || is_open_elsewhere(entry.path())) continue;
        // Without locks, another program may be writing to a part with its own name.
        const bool own_name = middle.find('.') != middle.npos;
        if (!own_name || is_stale(entry)) fs::remove(entry.path(), error);
    }
}

Removed remove_stale_parts(const fs::path& cache) {
    Removed removed;
    for (const char* folder : {"hf", "url"}) {
        std::error_code error;
        const auto options = fs::directory_options::skip_permission_denied;
        for (fs::recursive_directory_iterator entry(cache / folder, options, error), end;
             !error && entry != end; entry.increment(error)) {
            if (!entry->path().string().ends_with(".part") || !entry->is_regular_file(error)) continue;
            if (!is_stale(*entry) || is_open_elsewhere(entry->path())) continue;
            const std::uint64_t bytes = entry->file_size(error);
            if (!fs::remove(entry->path(), error)) continue;
            ++removed.files;
            removed.bytes += bytes;
        }
    }
    return removed;
}

}  // namespace kvsplit::fetch
