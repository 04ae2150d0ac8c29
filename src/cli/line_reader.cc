#include "cli/line_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "cli/interrupt.h"
#include "cli/line_editor.h"
#include "cli/output.h"
#include "cli/raw_terminal.h"
#include "cli/terminal.h"
#include "cli/typed_line.h"

namespace kvsplit::cli {
namespace {

// Reads the descriptor directly: a stream would not return on Ctrl-C.
class PipeReader : public LineReader {
  public:
    InputLine next(std::string_view /*prompt*/) override {
        const InterruptGuard interrupt;
        for (std::size_t searched = 0;;) {
            if (const auto end = held_.find('\n', searched); end != std::string::npos) {
                std::string line = held_.substr(0, end);
                held_.erase(0, end + 1);
                if (line.ends_with('\r')) line.pop_back();
                return {InputLine::Kind::kText, std::move(line)};
            }
            searched = held_.size();
            std::array<char, 4096> buffer;
            const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
            if (n > 0) {
                held_.append(buffer.data(), static_cast<std::size_t>(n));
            } else if (n == 0) {
                if (held_.empty()) return {};
                return {InputLine::Kind::kText, std::exchange(held_, {})};
            } else if (errno != EINTR) {
                fail(ErrorCode::kIo, "cannot read standard input: {}", errno_text(errno));
            } else if (interrupt.raised()) {
                return {InputLine::Kind::kInterrupted};
            }
        }
    }

  private:
    std::string held_;
};

// Lines from a terminal without a line editor: only Backspace and Ctrl-U. Echoes input on that terminal,
// wherever stderr goes.
class TerminalReader : public LineReader {
  public:
    ~TerminalReader() override {
        if (screen_ >= 0 && screen_ != STDERR_FILENO) ::close(screen_);
    }

    InputLine next(std::string_view prompt) override {
        const RawTerminal::Line reading(terminal_);
        TypedLine line;
        show(prompt);
        while (true) {
            unsigned char byte = 0;
            const auto event = terminal_.next(byte);
            if (event == RawTerminal::Event::kByte) {
                show(line.type(byte));
                if (line.is_whole()) return {InputLine::Kind::kText, line.text()};
                if (line.is_end()) return {};
            } else if (event == RawTerminal::Event::kRedraw) {
                show(fmt::format("\n{}{}", prompt, line.text()));
            } else if (event == RawTerminal::Event::kEnd || line.text().empty()) {
                show("\n");
                const bool end = event == RawTerminal::Event::kEnd;
                return {end ? InputLine::Kind::kEnd : InputLine::Kind::kInterrupted};
            } else {
                show(fmt::format("^C\n{}", prompt));
                line = TypedLine();
            }
        }
    }

  private:
    void show(std::string_view text) const { write_if_possible(screen_, text); }

    RawTerminal terminal_{can_erase_lines(STDERR_FILENO)};
    const int screen_ =
        ::isatty(STDERR_FILENO) != 0 ? STDERR_FILENO : ::open("/dev/tty", O_WRONLY | O_CLOEXEC);
};

}  // namespace

std::unique_ptr<LineReader> LineReader::create([[maybe_unused]] bool history) {
    if (::isatty(STDIN_FILENO) == 0) return std::make_unique<PipeReader>();
#ifdef KVSPLIT_HAS_LIBEDIT
    if (can_erase_lines(STDERR_FILENO)) return make_line_editor(history);
#endif
    return std::make_unique<TerminalReader>();
}

}  // namespace kvsplit::cli
