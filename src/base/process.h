// What a process that was forked from another must know: which of its locks and threads did not come along.
//
// fork() copies the memory of all threads but only the thread that calls it. A thread pool's workers do not
// exist in the child, and a lock that another thread held stays locked for ever.
#pragma once

#include <atomic>
#include <cstdint>

namespace kvsplit {

// 1 in the process that loaded the library, one more in each child that is forked from it, and so on down the
// line. Never 0. Costs a load once it was called in a process or one of its ancestors.
std::uint32_t process_generation();

// A mutex that tells a child when its holder was left behind in the parent.
class ProcessMutex {
  public:
    ProcessMutex() { process_generation(); }
    ProcessMutex(const ProcessMutex&) = delete;
    ProcessMutex& operator=(const ProcessMutex&) = delete;

    // Waits while another thread of this process holds it. False, and not locked, where a thread of an
    // ancestor held it at the fork: what it guards may be half changed, now and for ever.
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
