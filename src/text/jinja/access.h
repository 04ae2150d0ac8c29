// Attributes, elements, lengths and iteration, by the rules of jinja2's sandbox: methods that change a list
// or dict, and names that begin with an underscore, are not accessible.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "text/jinja/object.h"
#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

class Runtime;
struct Arguments;

// owner.name: an attribute before an element. name is a string.
Value get_attribute(Runtime& runtime, const Value& owner, const Value& name);
// owner[key]: an element before an attribute.
Value get_item(Runtime& runtime, const Value& owner, const Value& key);
// An attribute only; missing if there is none.
Value own_attribute(Runtime& runtime, const Value& owner, std::string_view name);
// owner[start:stop:step]; missing values mean that the part was left out.
Value get_slice(Runtime& runtime, const Value& owner, const Value& start, const Value& stop,
                const Value& step);

// len(value); nullopt if the type has no length.
std::optional<std::int64_t> length_of(Runtime& runtime, const Value& value);
// Refuses what cannot be iterated over.
std::shared_ptr<Iterator> iterate(Runtime& runtime, const Value& value);
std::shared_ptr<Iterator> iterate_backwards(Runtime& runtime, const Value& value);
bool is_iterable(Runtime& runtime, const Value& value);
std::vector<Value> elements(Runtime& runtime, const Value& value);

Value call(Runtime& runtime, const Value& callee, Arguments& arguments);

}  // namespace kvsplit::text::jinja
