// Values as text: Python's str() and repr().
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

class Runtime;

// str(value): what {{ value }} prints.
std::string show(Runtime& runtime, const Value& value);
std::string repr(Runtime& runtime, const Value& value);
// repr() of strings and scalars, for messages; other values by their type.
std::string plain_repr(const Value& value);
std::string repr_text(std::string_view text);

}  // namespace kvsplit::text::jinja
