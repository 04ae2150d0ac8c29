#include "cli/raw_terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string_view>
#include <tuple>

#include "base/error.h"

namespace kvsplit::cli {
namespace {

constexpr std::array kFatal{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT};
constexpr std::array kNoted{SIGINT, SIGWINCH};  // while a line is read
constexpr std::string_view kMarkPastes = "\033[?2004h", kDoNotMark = "\033[?2004l";

// State of the signal handlers. The pipe carries signal numbers to the main thread, whichever thread they
// interrupt, and none is lost between checking and waiting.
int signal_pipe[2] = {-1, -1};
termios mode_before, mode_between, mode_now;  // before the program, between lines, at present
volatile std::sig_atomic_t marks_pastes = 0;

void write_mark(std::string_view mark) {
    if (!marks_pastes) return;
    [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, mark.data(), mark.size());
}

// Restore the terminal's original mode, and set the program's. Async-signal-safe.
void leave_terminal() {
    write_mark(kDoNotMark);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &mode_before);
}
void take_terminal() {
    ::tcsetattr(STDIN_FILENO, TCSANOW, &mode_now);
    write_mark(kMarkPastes);
}

void install(int signal, void (*handler)(int), struct sigaction* before) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    ::sigaction(signal, nullptr, before);
    // Signals ignored at startup stay ignored, as with nohup.
    if (before->sa_handler != SIG_IGN) ::sigaction(signal, &action, nullptr);
}

extern "C" void note_signal(int signal) {
    const int error = errno;
    const auto number = static_cast<unsigned char>(signal);
    [[maybe_unused]] const ssize_t n = ::write(signal_pipe[1], &number, 1);
    errno = error;
}

extern "C" void end_in_order(int signal) {
    leave_terminal();
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

extern "C" void stop_in_order(int signal) {
    const int error = errno;
    leave_terminal();
    struct sigaction stop {
    }, before{};
    stop.sa_handler = SIG_DFL;
    ::sigaction(signal, &stop, &before);
    sigset_t this_signal, mask;
    sigemptyset(&this_signal);
    sigaddset(&this_signal, signal);
    std::raise(signal);
    // The program stops here, or continues at once if nothing could wake it.
    ::pthread_sigmask(SIG_UNBLOCK, &this_signal, &mask);
    ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    ::sigaction(signal, &before, nullptr);
    take_terminal();
    note_signal(SIGCONT);
    errno = error;
}

extern "C" void go_on(int signal) {
    const int error = errno;
    take_terminal();
    note_signal(signal);
    errno = error;
}

}  // namespace

RawTerminal::RawTerminal(bool pastes) {
    static_assert(kFatal.size() + 2 == std::tuple_size_v<decltype(before_)>);
    if (signal_pipe[0] < 0 && ::pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        fail(ErrorCode::kIo, "cannot make a pipe: {}", errno_text(errno));
    }
    if (::tcgetattr(STDIN_FILENO, &mode_before) != 0) {
        fail(ErrorCode::kIo, "cannot read the terminal's mode: {}", errno_text(errno));
    }
    mode_between = mode_before;
    mode_between.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    mode_between.c_cc[VMIN] = 1;
    mode_between.c_cc[VTIME] = 0;
    mode_now = mode_between;
    marks_pastes = pastes;
    std::size_t i = 0;
    for (const int signal : kFatal) install(signal, end_in_order, &before_[i++]);
    install(SIGTSTP, stop_in_order, &before_[i++]);
    install(SIGCONT, go_on, &before_[i++]);
    take_terminal();
}

RawTerminal::~RawTerminal() {
    leave_terminal();
    std::size_t i = 0;
    for (const int signal : kFatal) ::sigaction(signal, &before_[i++], nullptr);
    for (const int signal : {SIGTSTP, SIGCONT}) ::sigaction(signal, &before_[i++], nullptr);
}

void RawTerminal::settle() {
    mode_now = mode_between;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &mode_now);
}

RawTerminal::Line::Line(RawTerminal& /*terminal*/) {
    static_assert(kNoted.size() == std::tuple_size_v<decltype(before_)>);
    std::size_t i = 0;
    for (const int signal : kNoted) install(signal, note_signal, &before_[i++]);
    mode_now.c_lflag &= ~static_cast<tcflag_t>(ISIG);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &mode_now);
}

RawTerminal::Line::~Line() {
    mode_now = mode_between;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &mode_now);
    std::size_t i = 0;
    for (const int signal : kNoted) ::sigaction(signal, &before_[i++], nullptr);
}

RawTerminal::Event RawTerminal::next(unsigned char& byte) {
    while (true) {
        if (!held_.empty()) {
            byte = static_cast<unsigned char>(held_.front());
            held_.erase(0, 1);
            if (byte == 0) return Event::kByte;  // a control character of 0 means none
            if (byte == mode_before.c_cc[VINTR]) return Event::kInterrupt;
            if (byte != mode_before.c_cc[VSUSP] && byte != mode_before.c_cc[VQUIT]) return Event::kByte;
            std::raise(byte == mode_before.c_cc[VSUSP] ? SIGTSTP : SIGQUIT);
            continue;
        }
        ::tcgetattr(STDIN_FILENO, &mode_now);  // the line editor may have changed it
        std::array<pollfd, 2> inputs{{{STDIN_FILENO, POLLIN, 0}, {signal_pipe[0], POLLIN, 0}}};
        if (::poll(inputs.data(), inputs.size(), -1) < 0) continue;  // a signal
        unsigned char signal = 0;
        bool redraw = false;
        while (::read(signal_pipe[0], &signal, 1) == 1) {
            if (signal == SIGINT) return Event::kInterrupt;
            redraw = true;
        }
        if (redraw) return Event::kRedraw;
        if (inputs[0].revents == 0) continue;
        std::array<char, 4096> buffer;
        const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (n > 0) {
            held_.assign(buffer.data(), static_cast<std::size_t>(n));
        } else if (n == 0 || errno == EIO) {  // EIO: the terminal has gone
            return Event::kEnd;
        } else if (errno != EINTR && errno != EAGAIN) {
            fail(ErrorCode::kIo, "cannot read standard input: {}", errno_text(errno));
        }
    }
}

}  // namespace kvsplit::cli
