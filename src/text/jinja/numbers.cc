#include "text/jinja/numbers.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "text/utf8.h"

namespace kvsplit::text::jinja {
namespace {

// Removes underscores between digits; nullopt if there are others.
std::optional<std::string> without_underscores(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '_') {
            out += text[i];
        } else if (i == 0 || i + 1 == text.size() || digit_value(text[i - 1]) > 35 ||
                   digit_value(text[i + 1]) > 35) {
            return std::nullopt;
        }
    }
    return out;
}

// Removes a sign; true for a minus.
bool take_sign(std::string_view& text) {
    if (text.empty() || (text[0] != '-' && text[0] != '+')) return false;
    const bool negative = text[0] == '-';
    text.remove_prefix(1);
    return negative;
}

bool same_word(std::string_view text, std::string_view lower) {
    if (text.size() != lower.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i)
        if ((text[i] | 0x20) != lower[i]) return false;
    return true;
}

}  // namespace

int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'z' ? 10 + lower - 'a' : 99;
}

std::optional<std::int64_t> parse_integer(std::string_view text, int base) {
    text = strip(text);
    const bool negative = take_sign(text);
    const char letter = base == 2 ? 'b' : base == 8 ? 'o' : base == 16 ? 'x' : '\0';
    if (letter && text.size() > 2 && text[0] == '0' && (text[1] | 0x20) == letter) {
        text.remove_prefix(2);
        if (text.starts_with('_')) text.remove_prefix(1);
    }
    const auto digits = without_underscores(text);
    if (!digits || digits->empty()) return std::nullopt;
    std::uint64_t magnitude = 0;
    const char* end = digits->data() + digits->size();
    const auto result = std::from_chars(digits->data(), end, magnitude, base);
    if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
    constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (magnitude > kLargest + (negative ? 1 : 0)) return std::nullopt;
    return static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude);
}

std::optional<double> parse_float(std::string_view text) {
    text = strip(text);
    const bool negative = take_sign(text);
    const double sign = negative ? -1 : 1;
    if (same_word(text, "inf") || same_word(text, "infinity"))
        return sign * std::numeric_limits<double>::infinity();
    if (same_word(text, "nan")) return std::numeric_limits<double>::quiet_NaN();
    // from_chars also accepts a second sign and other words.
    if (text.empty() || (digit_value(text[0]) > 9 && text[0] != '.')) return std::nullopt;
    const auto digits = without_underscores(text);
    if (!digits) return std::nullopt;
    double value = 0;
    const char* end = digits->data() + digits->size();
    const auto result = std::from_chars(digits->data(), end, value);
    if (result.ptr != end) return std::nullopt;
    if (result.ec == std::errc::result_out_of_range) {
        const std::size_t exponent = digits->find_first_of("eE");
        const bool tiny = exponent != digits->npos && digits->substr(exponent + 1, 1) == "-";
        value = tiny ? 0 : std::numeric_limits<double>::infinity();
    } else if (result.ec != std::errc{}) {
        return std::nullopt;
    }
    return sign * value;
}

std::string float_repr(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    std::string text = fmt::format("{}", value);
    if (text.find_first_of(".e") == text.npos) text += ".0";
    return text;
}

}  // namespace kvsplit::text::jinja
