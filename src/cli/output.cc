#include "cli/output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "base/error.h"
#include "base/printable.h"
#include "cli/terminal.h"

namespace kvsplit::cli {

namespace {

// Writes all of the text; returns 0 or the errno that stopped it. On a non-blocking descriptor, waits at most
// `wait_ms` each time; -1: without limit.
int write_all(int fd, std::string_view text, int wait_ms) noexcept {
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n >= 0) {
            text.remove_prefix(static_cast<std::size_t>(n));
        } else if (errno == EAGAIN) {
            pollfd ready{fd, POLLOUT, 0};
            if (::poll(&ready, 1, wait_ms) == 0) return EAGAIN;
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

}  // namespace

void reserve_standard_descriptors() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(fd, F_GETFD) >= 0) continue;
        // open() takes the lowest free descriptor, which is fd. The mode makes reading 0 and writing 1 fail.
        if (::open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_WRONLY) < 0) return;
    }
}

void write_if_possible(int fd, std::string_view text) noexcept {
    constexpr int kWaitMs = 1000;  // for a stalled reader
    write_all(fd, text, kWaitMs);
}

void write_err(std::string_view text) noexcept { write_if_possible(STDERR_FILENO, text); }

bool write_out(std::string_view text) {
    const int error = write_all(STDOUT_FILENO, text, -1);
    if (error == EPIPE) return false;
    if (error != 0) fail(ErrorCode::kIo, "cannot write to standard output: {}", errno_text(error));
    return true;
}

bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) != 0; }

void write_json(const Json& object) {
    // Names from files may contain invalid UTF-8: show U+FFFD instead of failing.
    write_out(object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::string kv_text(const KvSpec& spec, const KvStats& stats, int n_tokens) {
    // A cache is allocated in pages, and a short text does not fill the first.
    const double saved = stats.saved_pct();
    return fmt::format("{}: keys {}, values {}, exact {}, total {} for {} tokens; {:.1f} % {} f16 ({})",
                       spec.name(), format_bytes(double(stats.bytes.key)),
                       format_bytes(double(stats.bytes.value)), format_bytes(double(stats.bytes.exact)),
                       format_bytes(double(stats.bytes.total())), format_count(n_tokens), std::abs(saved),
                       saved < 0 ? "more than" : "saved against", format_bytes(double(stats.f16_total)));
}

std::string latent_text(const ModelInfo& info) {
    return fmt::format(
        "one latent of {} channels, in the width of keys, and {} rotary ones, in that of values",
        info.latent_dim, info.head_dim - info.latent_dim);
}

ProgressLine::ProgressLine(std::string label)
    : label_(printable(label, 4096)),
      terminal_(can_erase_lines(STDERR_FILENO)),
      start_(Clock::now()),
      last_(start_) {}

ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::update(double fraction, std::string_view detail) {
    using std::chrono::milliseconds;
    const auto now = Clock::now();
    if (!terminal_ || now - start_ < milliseconds(1000) || now - last_ < milliseconds(100)) return;
    last_ = now;
    shown_ = true;
    fraction = std::clamp(fraction, 0.0, 1.0);
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    const double left = fraction > 0 ? elapsed * (1 - fraction) / fraction : 0;
    constexpr int kWidth = 24;
    const int filled = static_cast<int>(fraction * kWidth);
    const std::string line =
        fmt::format("{} [{:=<{}}{: <{}}] {:3.0f} % {} left{}{}", label_, "", filled, "", kWidth - filled,
                    100 * fraction, lab::format_time(left), detail.empty() ? "" : "  ", detail);
    // Leave the last column free: a full line may wrap.
    say("\r\033[K{}", cut_to_columns(line, terminal_columns(STDERR_FILENO) - 1));
}

void ProgressLine::clear() {
    if (!shown_) return;
    write_err("\r\033[K");
    shown_ = false;
}

}  // namespace kvsplit::cli
