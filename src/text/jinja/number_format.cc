// Numbers by Python's presentation types.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/jinja/numbers.h"
#include "text/jinja/python_format.h"
#include "text/jinja/runtime.h"
#include "text/jinja/template_error.h"

namespace kvsplit::text::jinja {
namespace {

std::string sign_of(bool negative, char style) {
    if (negative) return "-";
    return style == '-' ? "" : std::string(1, style);
}

// Digits in groups, from the decimal point (or the end) to the left.
std::string grouped(std::string_view digits, char separator, std::size_t size) {
    const std::size_t whole = std::min(digits.find_first_not_of("0123456789abcdefABCDEF"), digits.size());
    std::string out;
    for (std::size_t i = 0; i < whole; ++i) {
        if (i > 0 && (whole - i) % size == 0) out += separator;
        out += digits[i];
    }
    out += digits.substr(whole);
    return out;
}

// Without a type: like 'g', but the number stays recognisable as a float. magnitude is not negative.
std::string default_digits(double magnitude, std::int64_t precision) {
    if (precision < 0) return float_repr(magnitude);
    const int significant = static_cast<int>(std::max<std::int64_t>(precision, 1));
    // The exponent after rounding decides between the two notations.
    const std::string scientific = fmt::format("{:.{}e}", magnitude, significant - 1);
    const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
    if (exponent >= -4 && exponent < significant - 1) {
        const std::string out = fmt::format("{:.{}g}", magnitude, significant);
        return out.find('.') == out.npos ? out + ".0" : out;
    }
    if (exponent == 0 && significant == 1 && magnitude == 0) return "0.0";
    std::string mantissa = scientific.substr(0, scientific.find('e'));
    if (mantissa.find('.') != mantissa.npos) mantissa.erase(mantissa.find_last_not_of('0') + 1);
    if (mantissa.ends_with('.')) mantissa.pop_back();
    return mantissa + scientific.substr(scientific.find('e'));
}

std::string float_digits(double value, char type, int precision, bool alternate) {
    switch (type) {
        case 'e':
            return alternate ? fmt::format("{:#.{}e}", value, precision)
                             : fmt::format("{:.{}e}", value, precision);
        case 'E':
            return alternate ? fmt::format("{:#.{}E}", value, precision)
                             : fmt::format("{:.{}E}", value, precision);
        case 'g':
            return alternate ? fmt::format("{:#.{}g}", value, precision)
                             : fmt::format("{:.{}g}", value, precision);
        case 'G':
            return alternate ? fmt::format("{:#.{}G}", value, precision)
                             : fmt::format("{:.{}G}", value, precision);
        default:
            return alternate ? fmt::format("{:#.{}f}", value, precision)
                             : fmt::format("{:.{}f}", value, precision);
    }
}

}  // namespace

NumberText format_integer(std::int64_t value, const NumberStyle& style) {
    const std::uint64_t magnitude =
        value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    NumberText out{sign_of(value < 0, style.sign), ""};
    std::string_view prefix;
    std::size_t group = 4;
    switch (style.type) {
        case 'x':
            out.digits = fmt::format("{:x}", magnitude);
            prefix = "0x";
            break;
        case 'X':
            out.digits = fmt::format("{:X}", magnitude);
            prefix = "0X";
            break;
        case 'o':
            out.digits = fmt::format("{:o}", magnitude);
            prefix = "0o";
            break;
        case 'b':
            out.digits = fmt::format("{:b}", magnitude);
            prefix = "0b";
            break;
        default:
            out.digits = fmt::format("{}", magnitude);
            group = 3;
    }
    if (style.alternate) out.sign += prefix;
    if (style.thousands) out.digits = grouped(out.digits, style.thousands, group);
    return out;
}

NumberText format_float(Runtime& runtime, double value, const NumberStyle& style) {
    constexpr std::int64_t kDefaultPrecision = 6, kMaxPrecision = 100'000;
    const std::int64_t precision = style.precision < 0 ? kDefaultPrecision : style.precision;
    if (precision > kMaxPrecision) refuse("precision too big");
    runtime.charge(static_cast<std::size_t>(precision) + 320);
    NumberText out{sign_of(std::signbit(value) && !std::isnan(value), style.sign), ""};
    const bool is_upper = style.type == 'E' || style.type == 'F' || style.type == 'G';
    if (!std::isfinite(value)) {
        out.digits = std::isnan(value) ? (is_upper ? "NAN" : "nan") : (is_upper ? "INF" : "inf");
        if (style.type == '%') out.digits += '%';
        return out;
    }
    const double magnitude = std::fabs(style.type == '%' ? value * 100 : value);
    out.digits = style.type == '\0'
                     ? default_digits(magnitude, style.precision)
                     : float_digits(magnitude, style.type, static_cast<int>(precision), style.alternate);
    if (style.type == '%') out.digits += '%';
    if (style.thousands) out.digits = grouped(out.digits, style.thousands, 3);
    return out;
}

}  // namespace kvsplit::text::jinja
