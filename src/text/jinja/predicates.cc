#include "text/jinja/predicates.h"

#include <unordered_map>

#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/filters.h"
#include "text/jinja/operators.h"
#include "text/jinja/runtime.h"
#include "text/jinja/show.h"
#include "text/jinja/template_error.h"
#include "text/jinja/unicode.h"

namespace kvsplit::text::jinja {
namespace {

void take_none(const Arguments& arguments) { ArgumentReader("test", arguments).finish(); }

const Value& take_one(const Arguments& arguments) {
    ArgumentReader in("test", arguments);
    const Value& out = in.required("other");
    in.finish();
    return out;
}

template <bool (*test)(const Value&)>
bool simple(Runtime&, const Value& value, const Arguments& arguments) {
    take_none(arguments);
    return test(value);
}

bool is_defined(const Value& v) { return !v.undefined(); }
bool is_undefined(const Value& v) { return v.undefined() != nullptr; }
bool is_none(const Value& v) { return v.is_none(); }
bool is_boolean(const Value& v) { return v.is_bool(); }
bool is_true(const Value& v) { return v.is_bool() && *v.integer() == 1; }
bool is_false(const Value& v) { return v.is_bool() && *v.integer() == 0; }
bool is_integer(const Value& v) { return v.integer() && !v.is_bool(); }
bool is_float(const Value& v) { return v.is_float(); }
bool is_number(const Value& v) { return v.is_number(); }
bool is_string(const Value& v) { return v.string() != nullptr; }
bool is_mapping(const Value& v) { return v.dict() != nullptr; }
bool is_escaped(const Value& v) { return v.string() && v.string()->markup; }
bool is_sequence(const Value& v) {
    return v.string() || v.list() || v.dict() || v.undefined() || (v.object() && v.object()->has_items());
}
bool is_callable(const Value& v) { return v.undefined() || (v.object() && v.object()->callable()); }

bool test_iterable(Runtime& runtime, const Value& value, const Arguments& arguments) {
    take_none(arguments);
    return is_iterable(runtime, value);
}

template <bool (*test)(std::string_view)>
bool test_case(Runtime& runtime, const Value& value, const Arguments& arguments) {
    take_none(arguments);
    const std::string text = show(runtime, value);
    runtime.charge(2 * text.size());
    return test(text);
}

bool has_remainder(Runtime& runtime, const Value& value, std::int64_t divisor, std::int64_t remainder) {
    return equal(binary(runtime, BinaryOperator::kModulo, value, divisor), remainder);
}

template <int remainder>
bool test_parity(Runtime& runtime, const Value& value, const Arguments& arguments) {
    take_none(arguments);
    return has_remainder(runtime, value, 2, remainder);
}

bool test_divisibleby(Runtime& runtime, const Value& value, const Arguments& arguments) {
    return equal(binary(runtime, BinaryOperator::kModulo, value, take_one(arguments)), std::int64_t{0});
}

template <CompareOperator op>
bool test_comparison(Runtime& runtime, const Value& value, const Arguments& arguments) {
    return compare(runtime, op, value, take_one(arguments));
}

bool test_sameas(Runtime&, const Value& value, const Arguments& arguments) {
    return value.same_as(take_one(arguments));
}

bool test_filter(Runtime&, const Value& value, const Arguments& arguments) {
    take_none(arguments);
    hash_of(value);  // refuses what cannot be looked up
    return value.string() && find_filter(value.string()->text);
}

bool test_test(Runtime&, const Value& value, const Arguments& arguments) {
    take_none(arguments);
    hash_of(value);
    return value.string() && find_test(value.string()->text);
}

std::unordered_map<std::string_view, TestFunction> all_tests() {
    constexpr auto equals = test_comparison<CompareOperator::kEqual>;
    constexpr auto differs = test_comparison<CompareOperator::kNotEqual>;
    constexpr auto is_greater = test_comparison<CompareOperator::kGreater>;
    constexpr auto is_not_less = test_comparison<CompareOperator::kGreaterEqual>;
    constexpr auto is_less = test_comparison<CompareOperator::kLess>;
    constexpr auto is_not_greater = test_comparison<CompareOperator::kLessEqual>;
    return {
        {"defined", simple<is_defined>},
        {"undefined", simple<is_undefined>},
        {"none", simple<is_none>},
        {"boolean", simple<is_boolean>},
        {"true", simple<is_true>},
        {"false", simple<is_false>},
        {"integer", simple<is_integer>},
        {"float", simple<is_float>},
        {"number", simple<is_number>},
        {"string", simple<is_string>},
        {"mapping", simple<is_mapping>},
        {"sequence", simple<is_sequence>},
        {"callable", simple<is_callable>},
        {"escaped", simple<is_escaped>},
        {"iterable", test_iterable},
        {"lower", test_case<is_lower>},
        {"upper", test_case<is_upper>},
        {"even", test_parity<0>},
        {"odd", test_parity<1>},
        {"divisibleby", test_divisibleby},
        {"sameas", test_sameas},
        {"in", test_comparison<CompareOperator::kIn>},
        {"filter", test_filter},
        {"test", test_test},
        {"==", equals},
        {"eq", equals},
        {"equalto", equals},
        {"!=", differs},
        {"ne", differs},
        {">", is_greater},
        {"gt", is_greater},
        {"greaterthan", is_greater},
        {">=", is_not_less},
        {"ge", is_not_less},
        {"<", is_less},
        {"lt", is_less},
        {"lessthan", is_less},
        {"<=", is_not_greater},
        {"le", is_not_greater},
    };
}

}  // namespace

TestFunction find_test(std::string_view name) {
    static const auto tests = all_tests();
    const auto it = tests.find(name);
    return it == tests.end() ? nullptr : it->second;
}

bool call_test(Runtime& runtime, const Value& name, const Value& value, const Arguments& arguments) {
    const TestFunction function = name.string() ? find_test(name.string()->text) : nullptr;
    if (!function) refuse("No test named {}.", plain_repr(name));
    return function(runtime, value, arguments);
}

}  // namespace kvsplit::text::jinja
