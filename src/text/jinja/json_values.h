// JSON as values, and values as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

class Runtime;

using Json = nlohmann::ordered_json;  // keeps the order of keys

// Integers beyond 64 bits become floats. Throws Failure(kLimit) for values nested deeper than kMaxValueDepth.
Value from_json(const Json& json);

// The parameters of Python's json.dumps().
struct JsonStyle {
    bool ascii_only = false;
    bool sort_keys = false;
    bool multiline = false;  // with line breaks, and `indent` for each level
    std::string indent;
    std::string item_separator = ", ", key_separator = ": ";
};
std::string to_json(Runtime& runtime, const Value& value, const JsonStyle& style);

}  // namespace kvsplit::text::jinja
