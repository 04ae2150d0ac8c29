#include "cli/output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>

#include "base/error.h"

namespace kvsplit::cli {

void print_note(std::string_view text) { fmt::print(stderr, "kvsplit: note: {}\n", text); }

bool write_out(std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
        if (n >= 0) {
            text.remove_prefix(static_cast<std::size_t>(n));
        } else if (errno == EPIPE) {
            return false;
        } else if (errno != EINTR) {
            fail(ErrorCode::kIo, "cannot write to standard output: {}", errno_text(errno));
        }
    }
    return true;
}

bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) != 0; }

void write_json(const Json& object) {
    // Names from files may hold bytes that are not UTF-8: shown as U+FFFD rather than refused.
    write_out(object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::string kv_text(const KvSpec& spec, const KvStats& stats, int n_tokens) {
    // A cache is allocated by pages, of which a short text does not fill the first.
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
    : label_(std::move(label)),
      terminal_(::isatty(STDERR_FILENO) != 0),
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
    fmt::print(stderr, "\r\033[K{} [{:=<{}}{: <{}}] {:3.0f} % {} left{}{}", label_, "", filled, "",
               kWidth - filled, 100 * fraction, lab::format_time(left), detail.empty() ? "" : "  ", detail);
    std::fflush(stderr);
}

void ProgressLine::clear() {
    if (!shown_) return;
    fmt::print(stderr, "\r\033[K");
    std::fflush(stderr);
    shown_ = false;
}

}  // namespace kvsplit::cli
