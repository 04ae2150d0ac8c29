#include "fetch/options.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/ascii.h"
#include "base/error.h"
#include "fetch/redact.h"
#include "fetch/url.h"

namespace kvsplit::fetch {
namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

void read_seconds(const char* name, std::chrono::milliseconds& time) {
    const std::string text = environment(name);
    if (text.empty()) return;
    double seconds = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size() || !(seconds >= 0 && seconds <= 3600)) {
        fail(ErrorCode::kInvalidArgument, "{}: '{}' is not a number of seconds up to 3600", name, text);
    }
    time = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1e3));
}

std::string cache_folder() {
    const std::string own = environment("KVSPLIT_CACHE"), shared = environment("XDG_CACHE_HOME"),
                      home = environment("HOME");
    if (!own.empty()) return own;
    if (!shared.empty()) return shared + "/kvsplit";
    if (!home.empty()) return home + "/.cache/kvsplit";
    fail(ErrorCode::kNotFound, "there is no folder for downloads: set HOME or KVSPLIT_CACHE");
}

std::string hub_token() {
    std::string token = environment("HF_TOKEN");
    while (!token.empty() && token.back() <= ' ') token.pop_back();  // "$(cat file)" and the like
    const auto odd = [](char c) { return c <= ' ' || c == 0x7f; };
    if (std::any_of(token.begin(), token.end(), odd)) {
        fail(ErrorCode::kInvalidArgument, "HF_TOKEN: a token has no spaces and control characters");
    }
    return token;
}

}  // namespace

Options Options::from_environment() {
    Options options;
    options.cache = cache_folder();
    if (const std::string endpoint = environment("HF_ENDPOINT"); !endpoint.empty()) {
        const std::string lower = lower_ascii(endpoint);
        if (!lower.starts_with("https://") && !lower.starts_with("http://")) {
            fail(ErrorCode::kInvalidArgument, "HF_ENDPOINT: '{}' is not an address such as https://HOST",
                 redacted(endpoint));
        }
        parse_url(endpoint);
        options.endpoint = endpoint;
    }
    while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
    options.token = hub_token();
    read_seconds("KVSPLIT_RETRY_PAUSE", options.first_pause);
    read_seconds("KVSPLIT_STALL_TIMEOUT", options.stall);
    return options;
}

}  // namespace kvsplit::fetch
