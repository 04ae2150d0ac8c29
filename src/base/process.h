// Tells a forked child which locks and threads did not survive the fork.
//
// fork() copies all memory but only the calling thread. In the child a thread pool has no workers, and a lock
// that another thread held stays locked forever.
#pragma once

#include <atomic>
#include <cstdint>

namespace kvsplit {

// 1 in the process that loaded the library, and one more than its parent's in each forked child. Never 0.
// After the first call in a process or an ancestor, a call costs one load.
std::uint32_t process_generation();

// A mutex that detects, in a forked child, that its holder stayed in the parent.
class ProcessMutex {
  public:
    ProcessMutex() { process_generation(); }
    ProcessMutex(const ProcessMutex&) = delete;
    ProcessMutex& operator=(const ProcessMutex&) = delete;

    // Waits while another thread of this process holds it. False, without locking, if a thread of an ancestor
    // held it at the fork: the guarded data may be inconsistent and stays so.
    [[nodiscard]] bool lock();
    void unlock();

  private:
    std::atomic<std::uint32_t> holder_{0};  // the generation of the process that holds it, or 0
};

// Holds a ProcessMutex for a scope.
class ProcessLock {
  public:
    explicit ProcessLock(ProcessMutex& mutex) : mutex_(mutex), held_(mutex.lock()) {}
    ~ProcessLock() {
        if (held_) mutex_.unlock();
    }
    ProcessLock(const ProcessLock&) = delete;
    ProcessLock& operator=(const ProcessLock&) = delete;

    explicit operator bool() const { return held_; }

  private:
    ProcessMutex& mutex_;
    const bool held_;
};

}  // namespace kvsplit
