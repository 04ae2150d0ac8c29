// Filters that make numbers, or texts of numbers.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/filters.h"
#include "text/jinja/numbers.h"
#include "text/jinja/operators.h"
#include "text/jinja/runtime.h"
#include "text/jinja/template_error.h"

namespace kvsplit::text::jinja {
namespace {

// int(value) of a float; nullopt for nan.
std::optional<std::int64_t> truncated(double value) {
    if (std::isnan(value)) return std::nullopt;
    if (std::isinf(value)) refuse("cannot convert float infinity to integer");
    if (std::fabs(value) >= 9.2233720368547758e18) refuse("an integer of more than 64 bits");
    return static_cast<std::int64_t>(value);
}

Value filter_int(Runtime&, const Value& value, const Arguments& arguments) {
    ArgumentReader in("int", arguments);
    Value otherwise = in.optional("default", std::int64_t{0});
    const std::int64_t base = in.integer("base", 10);
    in.finish();
    if (const Undefined* u = value.undefined()) refuse_undefined(*u);
    if (const auto integer = value.integer()) return *integer;
    if (value.is_float()) {
        const auto integer = truncated(*value.number());
        return integer ? Value(*integer) : otherwise;
    }
    if (!value.string()) return otherwise;
    if (base >= 2 && base <= 36) {
        if (const auto integer = parse_integer(value.string()->text, static_cast<int>(base))) return *integer;
    }
    // As in "42.23"|int. Infinity gives the default.
    const auto number = parse_float(value.string()->text);
    if (!number || !std::isfinite(*number)) return otherwise;
    const auto integer = truncated(*number);
    return integer ? Value(*integer) : otherwise;
}

Value filter_float(Runtime&, const Value& value, const Arguments& arguments) {
    ArgumentReader in("float", arguments);
    Value otherwise = in.optional("default", 0.0);
    in.finish();
    if (const Undefined* u = value.undefined()) refuse_undefined(*u);
    if (const auto number = value.number()) return *number;
    const auto number = value.string() ? parse_float(value.string()->text) : std::nullopt;
    return number ? Value(*number) : otherwise;
}

Value filter_abs(Runtime&, const Value& value, const Arguments& arguments) {
    ArgumentReader("abs", arguments).finish();
    if (const auto integer = value.integer()) return *integer < 0 ? negated(value) : Value(*integer);
    if (value.is_float()) return std::fabs(*value.number());
    refuse("bad operand type for abs(): '{}'", value.type_name());
}

// Rounds halves to even, by the exact value of the number.
double rounded(double value, std::int64_t precision) {
    if (!std::isfinite(value) || precision > 308) return value;
    if (precision >= 0) {
        const double out =
            *parse_float(fmt::format("{:.{}f}", std::fabs(value), static_cast<int>(precision)));
        return std::copysign(out, value);
    }
    if (precision < -308) return std::copysign(0.0, value);
    const double unit = std::pow(10.0, static_cast<double>(-precision));
    return std::nearbyint(value / unit) * unit;
}

std::int64_t rounded_integer(std::int64_t value, std::int64_t precision) {
    if (precision >= 0) return value;
    if (precision < -18) return 0;
    std::int64_t unit = 1;
    for (std::int64_t i = 0; i < -precision; ++i) unit *= 10;
    const std::int64_t rest = ((value % unit) + unit) % unit, low = value - rest;
    const bool up = rest * 2 > unit || (rest * 2 == unit && (low / unit) % 2 != 0);
    return low + (up ? unit : 0);
}

Value filter_round(Runtime&, const Value& value, const Arguments& arguments) {
    ArgumentReader in("round", arguments);
    const std::int64_t precision = in.integer("precision", 0);
    const std::string_view method = in.text("method", "common");
    in.finish();
    if (method != "common" && method != "ceil" && method != "floor")
        refuse("method must be common, ceil or floor");
    if (const Undefined* u = value.undefined()) refuse_undefined(*u);
    const auto number = value.number();
    if (!number) refuse("type {} doesn't define __round__ method", value.type_name());
    if (method == "common") {
        if (const auto integer = value.integer()) return rounded_integer(*integer, precision);
        return rounded(*number, precision);
    }
    const double unit = std::pow(10.0, static_cast<double>(precision));
    const double scaled = *number * unit;
    return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / unit;
}

Value filter_length(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader("length", arguments).finish();
    const auto length = length_of(runtime, value);
    if (!length) refuse("object of type '{}' has no len()", value.type_name());
    return *length;
}

Value filter_filesizeformat(Runtime& runtime, const Value& value, const Arguments& arguments) {
    ArgumentReader in("filesizeformat", arguments);
    const bool is_binary = in.flag(runtime, "binary", false);
    in.finish();
    auto bytes = value.number();
    if (value.string()) bytes = parse_float(value.string()->text);
    if (!bytes) refuse("filesizeformat: expected a number, got {}", value.type_name());
    const double base = is_binary ? 1024 : 1000;
    if (*bytes == 1) return runtime.text("1 Byte");
    if (*bytes < base) return runtime.text(fmt::format("{:.0f} Bytes", std::trunc(*bytes) + 0.0));
    constexpr std::string_view kUnits = "kMGTPEZY";
    double unit = base * base;
    std::size_t i = 0;
    while (i + 1 < kUnits.size() && *bytes >= unit) {
        unit *= base;
        ++i;
    }
    const char letter = is_binary && i == 0 ? 'K' : kUnits[i];
    return runtime.text(fmt::format("{:.1f} {}{}", base * *bytes / unit, letter, is_binary ? "iB" : "B"));
}

constexpr std::array kNumberFilters = std::to_array<FilterEntry>({
    {"abs", filter_abs},
    {"count", filter_length},
    {"filesizeformat", filter_filesizeformat},
    {"float", filter_float},
    {"int", filter_int},
    {"length", filter_length},
    {"round", filter_round},
});

}  // namespace

std::span<const FilterEntry> number_filters() { return kNumberFilters; }

}  // namespace kvsplit::text::jinja
