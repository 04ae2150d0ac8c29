#include "lab/report/format.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace kvsplit::lab {
namespace {

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
        text.replace(at, from.size(), to);
    }
    return text;
}

}  // namespace

std::string format_bytes(double bytes) {
    constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    while (bytes >= 1000 && unit + 1 < units.size()) {
        bytes /= 1024;
        ++unit;
    }
    return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : bytes < 10 ? 2 : 1, units[unit]);
}

std::string format_count(long long n) {
    const std::string digits = std::to_string(n);
    std::string out;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        const std::size_t left = digits.size() - i;
        if (left % 3 == 0 && !out.empty() && out != "-") out += ',';
        out += digits[i];
    }
    return out;
}

std::string format_short(double value) {
    if (value == 0) return "0";
    const int exponent = static_cast<int>(std::floor(std::log10(std::abs(value))));
    return fmt::format("{:.{}f}", value, std::clamp(1 - exponent, 0, 9));
}

std::string format_kld(double nats) { return format_short(1000 * nats); }

std::string format_signed(double value, int decimals) {
    const std::string out = fmt::format("{:+.{}f}", value, decimals);
    // Zero has no sign.
    return out.find_first_of("123456789") == std::string::npos ? out.substr(1) : out;
}

std::string format_time(double seconds) {
    const auto whole = static_cast<long long>(seconds + 0.5);
    if (whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
    return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
}

std::string ascii(std::string text) {
    text = replaced(std::move(text), "±", "+-");
    text = replaced(std::move(text), "10⁻³", "1e-3");
    return replaced(std::move(text), "–", "-");
}

}  // namespace kvsplit::lab
