// FileLock: one program at a time loads a file.
#pragma once

#include <functional>
#include <string>

namespace kvsplit::fetch {

class FileLock {
  public:
    // Waits while another program holds the lock; keep_waiting is called ten times a second meanwhile, and
    // may throw. On file systems without locks there is none, and no wait. The file at `path` is made, and
    // removed at the end. Throws Error(kIo) where it cannot be made.
    FileLock(std::string path, const std::function<void()>& keep_waiting);
    ~FileLock();
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;

    // False: the file system has no locks.
    bool held() const { return held_; }

  private:
    std::string path_;
    int fd_ = -1;
    bool held_ = false;
};

// Throws Error(kIo) for errno from the cache's folder: what cannot be written, and what to do.
[[noreturn]] void fail_to_write(const std::string& path, int error_number);

// Tries for a lock of an open file. kNoLocks: the file system has none.
enum class LockResult { kLocked, kTaken, kNoLocks };
LockResult try_lock(int fd);

}  // namespace kvsplit::fetch
