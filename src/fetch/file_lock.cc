#include "fetch/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "base/error.h"

namespace kvsplit::fetch {
namespace {

// Whether the path still names the open file: its last owner may have removed it.
bool is_at(int fd, const std::string& path) {
    struct stat open_file {
    }, named{};
    return ::fstat(fd, &open_file) == 0 && ::stat(path.c_str(), &named) == 0 &&
           open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

}  // namespace

LockResult try_lock(int fd) {
    int result = 0;
    while ((result = ::flock(fd, LOCK_EX | LOCK_NB)) != 0 && errno == EINTR) {
    }
    if (result == 0) return LockResult::kLocked;
    return errno == EWOULDBLOCK ? LockResult::kTaken : LockResult::kNoLocks;
}

void fail_to_write(const std::string& path, int error_number) {
    const char* advice = "";
    switch (error_number) {
        case EACCES:
        case EPERM:
        case EROFS:
        case ENOTDIR:
        case EEXIST:
        case ENOENT:
            advice = "; set KVSPLIT_CACHE to a folder that can be written";
            break;
        case ENOSPC:
        case EDQUOT:
            advice = "; free some space there, or set KVSPLIT_CACHE to a folder on another disk";
            break;
        case EFBIG:
            advice = "; this disk takes no file of that size: set KVSPLIT_CACHE to a folder on another disk";
            break;
        default:
            break;
    }
    fail(ErrorCode::kIo, "{}: cannot write: {}{}", path, errno_text(error_number), advice);
}

FileLock::FileLock(std::string path, const std::function<void()>& keep_waiting) : path_(std::move(path)) {
    while (true) {
        fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd_ < 0) fail_to_write(path_, errno);
        const LockResult result = try_lock(fd_);
        held_ = result == LockResult::kLocked;
        if (result == LockResult::kNoLocks || (held_ && is_at(fd_, path_))) return;
        ::close(fd_);
        fd_ = -1;
        if (held_) continue;
        keep_waiting();
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

FileLock::~FileLock() {
    ::unlink(path_.c_str());  // before unlocking: the next owner creates its own
    ::close(fd_);
}

}  // namespace kvsplit::fetch
