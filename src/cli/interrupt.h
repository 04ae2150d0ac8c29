// InterruptGuard: during its lifetime the first Ctrl-C only sets a flag; the second kills as usual.
#pragma once

#include <csignal>

namespace kvsplit::cli {

// One at a time, on the main thread.
class InterruptGuard {
  public:
    InterruptGuard();
    ~InterruptGuard();
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;

    bool raised() const;

  private:
    struct sigaction before_ {};
};

constexpr int kInterruptedExitCode = 130;  // 128 + SIGINT, as in shells

}  // namespace kvsplit::cli
