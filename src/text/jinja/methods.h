// The methods of strings, lists, tuples and dicts that templates may call.
#pragma once

#include <span>
#include <string_view>

#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

class Runtime;
struct Arguments;

struct Method {
    std::string_view name;
    Value (*call)(Runtime&, const Value& self, const Arguments&);
};

// Null if values of this type have no such method.
const Method* find_method(const Value& owner, std::string_view name);
Value bound_method(Runtime& runtime, const Value& self, const Method& method);

std::span<const Method> string_methods();
// self.replace(old, fresh, limit); a limit below 0: all.
Value replaced(Runtime& runtime, const String& self, std::string_view old, std::string_view fresh,
               std::int64_t limit);
// A string, joined from the elements' texts. separator may be Markup.
Value join_texts(Runtime& runtime, const String& separator, const Value& parts);

}  // namespace kvsplit::text::jinja
