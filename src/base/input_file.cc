#include "base/input_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/memory.h"
#include "base/printable.h"

namespace kvsplit {
namespace {

constexpr std::size_t kStep = std::size_t{256} << 10;  // growth of the front in memory

const char* kind_name(mode_t mode) {
    return S_ISDIR(mode) ? "directory" : S_ISFIFO(mode) ? "pipe" : S_ISSOCK(mode) ? "socket" : "device";
}

timespec time_written(const struct stat& st) {
#if defined(__APPLE__)
    return st.st_mtimespec;
#else
    return st.st_mtim;
#endif
}

}  // namespace

InputFile::InputFile(std::string path, FileAccess access) : path_(std::move(path)), access_(access) {
    // Non-blocking: opening a pipe must not wait for its writer.
    fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd_ < 0) {
        const int e = errno;
        fail(e == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "{}: cannot open: {}",
             printable_path(path_), errno_text(e));
    }
    try {
        opened_ = identity();
        size_ = opened_.size;
        reserve();
        if (access == FileAccess::kWhole) front(size_);
    } catch (...) {
        close();
        throw;
    }
}

InputFile::Identity InputFile::identity() const {
    struct stat st {};
    if (::fstat(fd_, &st) != 0)
        fail(ErrorCode::kIo, "{}: cannot read: {}", printable_path(path_), errno_text(errno));
    if (!S_ISREG(st.st_mode))
        fail(ErrorCode::kIo, "{}: is a {}, not a file", printable_path(path_), kind_name(st.st_mode));
    return {st.st_dev, st.st_ino, static_cast<std::size_t>(st.st_size), time_written(st)};
}

// Reserves address space, not memory.
void InputFile::reserve() {
    if (size_ == 0) return;
    void* p = ::mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        fail(ErrorCode::kOutOfMemory, "{}: no memory to read {} bytes", printable_path(path_), size_);
    data_ = static_cast<std::uint8_t*>(p);
}

std::span<const std::uint8_t> InputFile::front(std::size_t n) {
    if (n > loaded_) {
        const std::size_t end =
            access_ == FileAccess::kWhole ? size_ : std::min(size_, (n / kStep + 1) * kStep);
        if (::mprotect(data_, end, PROT_READ | PROT_WRITE) != 0)
            fail(ErrorCode::kOutOfMemory, "{}: no memory to read {} bytes", printable_path(path_), end);
        read_exactly(loaded_, end - loaded_, data_ + loaded_);
        loaded_ = end;
    }
    return {data_, n};
}

const std::uint8_t* InputFile::read(std::size_t offset, std::size_t n,
                                    std::vector<std::uint8_t>& scratch) const {
    if (offset + n <= loaded_) return data_ + offset;
    // The program may have closed descriptors that it does not know, and reused their numbers.
    const Identity now = identity();
    if (now.device != opened_.device || now.inode != opened_.inode)
        fail(ErrorCode::kIo, "{}: cannot read: the program has closed the file", printable_path(path_));
    scratch.resize(std::max(scratch.size(), n));
    read_exactly(offset, n, scratch.data());
    return scratch.data();
}

void InputFile::read_exactly(std::size_t offset, std::size_t n, std::uint8_t* to) const {
    for (std::size_t done = 0; done < n;) {
        const ssize_t got = ::pread(fd_, to + done, n - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            fail(ErrorCode::kIo, "{}: cannot read: {}", printable_path(path_),
                 got == 0 ? "the file became shorter meanwhile" : errno_text(errno));
        }
        done += static_cast<std::size_t>(got);
    }
}

void InputFile::require_unchanged() const {
    const Identity now = identity();
    if (now.size == opened_.size && now.written.tv_sec == opened_.written.tv_sec &&
        now.written.tv_nsec == opened_.written.tv_nsec) {
        return;
    }
    fail(ErrorCode::kIo, "{}: the file was written to while it was read; load it again",
         printable_path(path_));
}

void InputFile::release(std::size_t offset, std::size_t n) const {
    if (access_ != FileAccess::kWhole || offset + n > size_) return;
    const std::size_t page = page_size();
    const std::size_t begin = (offset + page - 1) / page * page, end = (offset + n) / page * page;
    if (begin >= end) return;
    ::munlock(data_ + begin, end - begin);  // locked pages would stay
    ::madvise(data_ + begin, end - begin, MADV_DONTNEED);
}

InputFile::~InputFile() { close(); }

void InputFile::close() noexcept {
    if (data_) ::munmap(data_, size_);
    if (fd_ >= 0) ::close(fd_);
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      opened_(other.opened_),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      loaded_(std::exchange(other.loaded_, 0)),
      access_(other.access_) {}

}  // namespace kvsplit
