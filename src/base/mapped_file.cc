#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"

namespace kvsplit {
namespace {

class FileDescriptor {
  public:
    explicit FileDescriptor(int fd) : fd_(fd) {}
    ~FileDescriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;
    int get() const { return fd_; }

  private:
    const int fd_;
};

}  // namespace

MappedFile::MappedFile(std::string path, FileAccess access) : path_(std::move(path)) {
    const FileDescriptor fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0) {
        const int e = errno;
        fail(e == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "{}: cannot open: {}", path_,
             errno_text(e));
    }
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode)) {
        const int e = errno;
        fail(ErrorCode::kIo, "{}: {}", path_,
             S_ISDIR(st.st_mode) ? "is a directory, not a file" : "not a regular file: " + errno_text(e));
    }
    size_ = static_cast<std::size_t>(st.st_size);
    if (size_ == 0) return;
    if (access == FileAccess::kMap) {
        map(fd.get());
    } else {
        read(fd.get());
    }
}

void MappedFile::map(int fd) {
    void* p = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        fail(ErrorCode::kIo, "{}: cannot map {} bytes: {}", path_, size_, errno_text(errno));
    }
    data_ = static_cast<const std::uint8_t*>(p);
}

// Reads into mapped pages, so that release() can return them one by one.
void MappedFile::read(int fd) {
    void* p = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) fail(ErrorCode::kOutOfMemory, "{}: no memory to read {} bytes", path_, size_);
    data_ = static_cast<const std::uint8_t*>(p);
    auto* to = static_cast<std::uint8_t*>(p);
    for (std::size_t done = 0; done < size_;) {
        const ssize_t n = ::read(fd, to + done, size_ - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            const std::string why = n == 0 ? "the file became shorter meanwhile" : errno_text(errno);
            ::munmap(p, size_);
            fail(ErrorCode::kIo, "{}: cannot read: {}", path_, why);
        }
        done += static_cast<std::size_t>(n);
    }
}

MappedFile::~MappedFile() {
    if (data_) ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

void MappedFile::release(std::size_t offset, std::size_t size) const {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t begin = (offset + page - 1) / page * page;
    const std::size_t end = (offset + size) / page * page;
    if (begin >= end || end > size_) return;
    auto* pages = const_cast<std::uint8_t*>(data_) + begin;
    ::munlock(pages, end - begin);  // locked pages would stay
    ::madvise(pages, end - begin, MADV_DONTNEED);
}

}  // namespace kvsplit
