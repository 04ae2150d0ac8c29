// The operators that make new values: binary(), negated(), unary_plus().
#include <cmath>

#include "base/html.h"
#include "text/jinja/access.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_format.h"
#include "text/jinja/runtime.h"
#include "text/jinja/template_error.h"

namespace kvsplit::text::jinja {
namespace {

constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};

[[noreturn]] void refuse_operands(BinaryOperator op, const Value& a, const Value& b) {
    refuse("unsupported operand type(s) for {}: '{}' and '{}'", kSymbols[static_cast<int>(op)], a.type_name(),
           b.type_name());
}

[[noreturn]] void refuse_large() { refuse("an integer of more than 64 bits"); }

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
    if (b == 0) refuse("integer division or modulo by zero");
    if (b == -1) {
        std::int64_t out = 0;
        if (__builtin_sub_overflow(std::int64_t{0}, a, &out)) refuse_large();
        return out;
    }
    const std::int64_t quotient = a / b;
    return quotient - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

double float_modulo(double a, double b) {
    if (b == 0) refuse("float modulo");
    double rest = std::fmod(a, b);
    if (rest == 0) return std::copysign(0.0, b);
    if ((rest < 0) != (b < 0)) rest += b;
    return rest;
}

double float_floor_divide(double a, double b) {
    if (b == 0) refuse("float floor division by zero");
    const double quotient = (a - float_modulo(a, b)) / b;
    const double rounded = std::floor(quotient);
    return quotient - rounded > 0.5 ? rounded + 1 : rounded;
}

double float_power(double a, double b) {
    if (a == 0 && b < 0) refuse("0.0 cannot be raised to a negative power");
    if (a < 0 && b != std::floor(b)) refuse("a negative number to a fractional power is complex");
    const double out = std::pow(a, b);
    if (std::isinf(out) && std::isfinite(a) && std::isfinite(b)) refuse("Result too large");
    return out;
}

Value integer_power(std::int64_t a, std::int64_t b) {
    if (b < 0) return float_power(static_cast<double>(a), static_cast<double>(b));
    std::int64_t out = 1, base = a;
    for (; b > 0; b >>= 1) {
        if ((b & 1) && __builtin_mul_overflow(out, base, &out)) refuse_large();
        if (b > 1 && __builtin_mul_overflow(base, base, &base)) refuse_large();
    }
    return out;
}

Value integer_binary(BinaryOperator op, std::int64_t a, std::int64_t b) {
    std::int64_t out = 0;
    bool overflow = false;
    switch (op) {
        case BinaryOperator::kAdd:
            overflow = __builtin_add_overflow(a, b, &out);
            break;
        case BinaryOperator::kSubtract:
            overflow = __builtin_sub_overflow(a, b, &out);
            break;
        case BinaryOperator::kMultiply:
            overflow = __builtin_mul_overflow(a, b, &out);
            break;
        case BinaryOperator::kDivide:
            if (b == 0) refuse("division by zero");
            return static_cast<double>(a) / static_cast<double>(b);
        case BinaryOperator::kFloorDivide:
            return floor_divide(a, b);
        case BinaryOperator::kModulo:
            if (b == -1) return std::int64_t{0};
            return a - floor_divide(a, b) * b;
        case BinaryOperator::kPower:
            return integer_power(a, b);
    }
    if (overflow) refuse_large();
    return out;
}

Value float_binary(BinaryOperator op, double a, double b) {
    switch (op) {
        case BinaryOperator::kAdd:
            return a + b;
        case BinaryOperator::kSubtract:
            return a - b;
        case BinaryOperator::kMultiply:
            return a * b;
        case BinaryOperator::kDivide:
            if (b == 0) refuse("float division by zero");
            return a / b;
        case BinaryOperator::kFloorDivide:
            return float_floor_divide(a, b);
        case BinaryOperator::kModulo:
            return float_modulo(a, b);
        case BinaryOperator::kPower:
            break;
    }
    return float_power(a, b);
}

Value joined_texts(Runtime& runtime, const String& a, const String& b) {
    const bool markup = a.markup || b.markup;
    Text out(runtime);
    out.append(markup && !a.markup ? escape_html(a.text) : a.text);
    out.append(markup && !b.markup ? escape_html(b.text) : b.text);
    return out.value(markup);
}

Value joined_lists(Runtime& runtime, const List& a, const List& b) {
    runtime.charge((a.items.size() + b.items.size()) * sizeof(Value));
    std::vector<Value> items = a.items;
    items.insert(items.end(), b.items.begin(), b.items.end());
    return runtime.list(std::move(items), a.kind == List::Kind::kList ? a.kind : List::Kind::kTuple);
}

// Missing if value cannot be repeated.
Value repeated(Runtime& runtime, const Value& value, std::int64_t times) {
    if (const String* text = value.string()) {
        return Text(runtime).repeat(text->text, times).value(text->markup);
    }
    const List* list = value.list();
    if (!list) return {};
    std::vector<Value> items;
    for (std::int64_t i = 0; i < times && !list->items.empty(); ++i) {
        runtime.charge(list->items.size() * sizeof(Value));
        items.insert(items.end(), list->items.begin(), list->items.end());
    }
    return runtime.list(std::move(items), list->kind);
}

}  // namespace

Value binary(Runtime& runtime, BinaryOperator op, const Value& a, const Value& b) {
    if (op == BinaryOperator::kModulo && a.string()) return percent_format(runtime, *a.string(), b);
    for (const Value* side : {&a, &b})
        if (const Undefined* u = side->undefined()) refuse("{}", u->message());
    const auto left = a.integer(), right = b.integer();
    if (left && right) return integer_binary(op, *left, *right);
    if (a.number() && b.number()) return float_binary(op, *a.number(), *b.number());
    if (op == BinaryOperator::kAdd) {
        if (a.string() && b.string()) return joined_texts(runtime, *a.string(), *b.string());
        const List *x = a.list(), *y = b.list();
        if (x && y && (x->kind == List::Kind::kList) == (y->kind == List::Kind::kList))
            return joined_lists(runtime, *x, *y);
    }
    if (op == BinaryOperator::kMultiply && (left || right)) {
        Value out = right ? repeated(runtime, a, *right) : repeated(runtime, b, *left);
        if (!out.is_missing()) return out;
    }
    refuse_operands(op, a, b);
}

Value negated(const Value& value) {
    if (const Undefined* u = value.undefined()) refuse("{}", u->message());
    if (const auto integer = value.integer()) return integer_binary(BinaryOperator::kSubtract, 0, *integer);
    if (value.is_float()) return -*value.number();
    refuse("bad operand type for unary -: '{}'", value.type_name());
}

Value unary_plus(const Value& value) {
    if (const Undefined* u = value.undefined()) refuse("{}", u->message());
    if (const auto integer = value.integer()) return *integer;
    if (value.is_float()) return value;
    refuse("bad operand type for unary +: '{}'", value.type_name());
}

}  // namespace kvsplit::text::jinja
