#include "fetch/retry.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <thread>

#include "base/error.h"

namespace kvsplit::fetch {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kMaxTries = 6;
constexpr int kMaxTriesUnreachable = 3;  // do not wait long on a computer without network
constexpr milliseconds kMaxPause = seconds(60);
constexpr seconds kMaxStatedPause = seconds(300);

// The leading digits of text.
std::optional<std::uint32_t> number_of(std::string_view text) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc::result_out_of_range) return UINT32_MAX;
    return error == std::errc() ? std::optional(number) : std::nullopt;
}

bool may_be_better_later(const Reply& reply) {
    if (reply.cause != Reply::Cause::kNone) return reply.cause != Reply::Cause::kFinal;
    const int status = reply.status;
    return status == 408 || status == 425 || status == 429 || status == 500 ||
           (status >= 502 && status <= 504) || (status >= 520 && status <= 524);  // the latter: Cloudflare's
}

}  // namespace

seconds stated_pause(const Reply& reply, std::time_t now) {
    const auto capped = [](std::int64_t pause) {
        return seconds(std::clamp<std::int64_t>(pause, 0, kMaxStatedPause.count()));
    };
    const std::string after = reply.header("retry-after");
    if (const auto stated = number_of(after)) return capped(*stated);
    if (const std::time_t date = after.empty() ? -1 : curl_getdate(after.c_str(), nullptr); date >= 0) {
        return capped(date - now);
    }
    const std::string limit = reply.header("ratelimit");  // '"api";r=0;t=55'
    const std::size_t time = limit.find(";t=");
    if (const auto stated = time == limit.npos ? std::nullopt : number_of(limit.substr(time + 3))) {
        if (reply.status == 429) return capped(*stated);
    }
    return seconds(-1);
}

Retry::Retry(milliseconds first_pause, std::string shown, const Reports& reports)
    : first_pause_(first_pause),
      shown_(std::move(shown)),
      reports_(reports),
      random_(std::random_device()()) {}

milliseconds Retry::pause_for(const Reply& reply) {
    const auto doubled = std::min(first_pause_ * (1 << std::min(tries_ - 1, 16)), kMaxPause);
    const auto chance = std::uniform_real_distribution(0.5, 1.0)(random_);
    const auto own = std::chrono::duration_cast<milliseconds>(doubled * chance);
    // Programs that were told the same time should not all return at once.
    const auto stated = stated_pause(reply, std::time(nullptr));
    return stated.count() < 0 ? own : stated + own / 4;
}

bool Retry::pause_after(const Reply& reply, const Progress& progress) {
    if (!may_be_better_later(reply)) return false;
    const bool unreachable = reply.cause == Reply::Cause::kUnreachable && progress.done == 0;
    const int most = unreachable ? kMaxTriesUnreachable : kMaxTries;
    if (++tries_ >= most) return false;
    const milliseconds pause = pause_for(reply);
    reports_.on_note(fmt::format("{}: {}; trying again in {:.1f} s ({} of {})", shown_, reason_of(reply),
                                 static_cast<double>(pause.count()) / 1e3, tries_ + 1, most));
    Progress paused = progress;
    paused.stage = Progress::Stage::kPause;
    const auto until = std::chrono::steady_clock::now() + pause;
    while (true) {
        if (!reports_.on_progress(paused)) fail(ErrorCode::kCancelled, "stopped");
        const auto left = until - std::chrono::steady_clock::now();
        if (left <= left.zero()) return true;
        std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, milliseconds(50)));
    }
}

std::string reason_of(const Reply& reply) {
    return reply.failure.empty() ? fmt::format("HTTP {}", reply.status) : reply.failure;
}

}  // namespace kvsplit::fetch
