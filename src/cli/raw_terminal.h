// Reads a terminal byte by byte, without the kernel line editor's limit of 4,095 bytes.
#pragma once

#include <termios.h>

#include <array>
#include <csignal>
#include <string>

namespace kvsplit::cli {

// During its lifetime, typed input waits, complete and unechoed, until a line is read. Signals that end or
// stop the program first restore the terminal's mode. One at a time, on the main thread, for standard input;
// prompts and keys are shown on standard error.
class RawTerminal {
  public:
    // pastes: asks the terminal to mark pasted text (bracketed paste). Throws Error(kIo).
    explicit RawTerminal(bool pastes);
    ~RawTerminal();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

    // Restores the mode for the time between lines after a library has changed it.
    void settle();

    // Reads a line during its lifetime: keys that send signals become events, in order with the others.
    class Line {
      public:
        explicit Line(RawTerminal& terminal);
        ~Line();
        Line(const Line&) = delete;
        Line& operator=(const Line&) = delete;

      private:
        std::array<struct sigaction, 2> before_{};
    };

    enum class Event {
        kByte,
        kEnd,        // no more input
        kInterrupt,  // Ctrl-C
        kRedraw,     // the window was resized, or the program continues after a stop
    };
    // Waits for the next event of a line. Throws Error(kIo).
    Event next(unsigned char& byte);

  private:
    std::string held_;  // read but not yet returned
    std::array<struct sigaction, 7> before_{};
};

}  // namespace kvsplit::cli
