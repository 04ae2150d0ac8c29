#include "text/stream_decoder.h"

#include <algorithm>
#include <utility>

#include "text/utf8.h"

namespace kvsplit::text {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

}  // namespace

std::string StreamDecoder::push(std::string_view bytes) {
    const std::string input = std::exchange(held_, {}).append(bytes);
    std::string_view rest = input;
    std::string out;
    out.reserve(input.size());
    while (!rest.empty()) {
        const Utf8Step step = next_utf8(rest);
        if (step.state == Utf8State::kUnfinished) {
            held_ = rest;
            break;
        }
        out += step.state == Utf8State::kCharacter ? rest.substr(0, step.length) : kReplacement;
        rest.remove_prefix(step.length);
    }
    return out;
}

std::string StreamDecoder::flush() {
    return std::exchange(held_, {}).empty() ? std::string{} : std::string{kReplacement};
}

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
    std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopMatcher::push(std::string_view text) {
    if (matched_) return {};
    held_ += text;
    std::size_t found = std::string::npos;
    for (const std::string& stop : stops_) found = std::min(found, held_.find(stop));
    if (found != std::string::npos) {
        matched_ = true;
        held_.resize(found);
        return std::exchange(held_, {});
    }
    std::size_t keep = 0;  // bytes at the end that begin some stop string
    for (const std::string& stop : stops_) {
        for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > keep; --n) {
            if (held_.compare(held_.size() - n, n, stop, 0, n) == 0) keep = n;
        }
    }
    std::string out = held_.substr(0, held_.size() - keep);
    held_.erase(0, held_.size() - keep);
    return out;
}

std::string StopMatcher::flush() {
    matched_ = false;
    return std::exchange(held_, {});
}

}  // namespace kvsplit::text
