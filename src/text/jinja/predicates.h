// Tests: value is name(arguments).
#pragma once

#include <string_view>

#include "text/jinja/ast.h"

namespace kvsplit::text::jinja {

class Runtime;
struct Arguments;

// Null if there is no such test.
TestFunction find_test(std::string_view name);
// By name, as `select` does. Refuses names that do not exist.
bool call_test(Runtime& runtime, const Value& name, const Value& value, const Arguments& arguments);

}  // namespace kvsplit::text::jinja
