// Operators on values, with Python's results and refusals.
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/ast.h"
#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

class Runtime;

bool truth(Runtime& runtime, const Value& value);

// a == b. Never refused.
bool equal(const Value& a, const Value& b);
// The same, charged by the amount compared.
bool equal(Runtime& runtime, const Value& a, const Value& b);
// a < b; refused for types that have no order. The name of the operator is for the message.
bool less(Runtime& runtime, const Value& a, const Value& b, std::string_view symbol = "<");
bool compare(Runtime& runtime, CompareOperator op, const Value& a, const Value& b);
bool contains(Runtime& runtime, const Value& container, const Value& item);

Value binary(Runtime& runtime, BinaryOperator op, const Value& a, const Value& b);
Value negated(const Value& value);
Value unary_plus(const Value& value);

}  // namespace kvsplit::text::jinja
