// FileLock: only one program at a time downloads a file.
#pragma once

#include <functional>
#include <string>

namespace kvsplit::fetch {

class FileLock {
  public:
    // Waits while another program holds the lock, calling keep_waiting, which may throw, ten times a second.
    // On file systems without locks, does not wait. Creates the file at `path`, and removes it at the end.
    // Throws Error(kIo) if it cannot be created.
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

// Throws Error(kIo) for an errno from the cache folder, saying what cannot be written and what to do.
[[noreturn]] void fail_to_write(const std::string& path, int error_number);

// Tries to lock an open file. kNoLocks: the file system has no locks.
enum class LockResult { kLocked, kTaken, kNoLocks };
LockResult try_lock(int fd);

}  // namespace kvsplit::fetch
