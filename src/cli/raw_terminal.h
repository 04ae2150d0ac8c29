// A terminal that is read byte by byte, without the 4,095 bytes that its own line editor stops at.
#pragma once

#include <termios.h>

#include <array>
#include <csignal>
#include <string>

namespace kvsplit::cli {

// While one lives, what is typed waits, in full and unseen, until a line is read; what ends or stops the
// program puts the terminal's mode back before. One at a time, on the main thread, for standard input;
// prompts and keys are shown on standard error.
class RawTerminal {
  public:
    // pastes: asks the terminal to mark what is pasted (bracketed paste). Throws Error(kIo).
    explicit RawTerminal(bool pastes);
    ~RawTerminal();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

    // Puts back the mode between lines, which a library has changed.
    void settle();

    // While one lives, a line is read: keys that were signals are events, in their place among the others.
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
        kEnd,        // nothing will come any more
        kInterrupt,  // Ctrl-C
        kRedraw,     // the window has another size, or the program goes on after it was stopped
    };
    // Waits for the next event of a line. Throws Error(kIo).
    Event next(unsigned char& byte);

  private:
    std::string held_;  // read, not yet taken
    std::array<struct sigaction, 7> before_{};
};

}  // namespace kvsplit::cli
