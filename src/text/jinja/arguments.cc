#include "text/jinja/arguments.h"

#include <algorithm>

#include "text/jinja/operators.h"
#include "text/jinja/template_error.h"

namespace kvsplit::text::jinja {

const Value* ArgumentReader::take(std::string_view name) {
    const auto named = std::find_if(arguments_.named.begin(), arguments_.named.end(),
                                    [&](const auto& argument) { return argument.first == name; });
    const bool is_named = named != arguments_.named.end();
    if (next_ < arguments_.positional.size()) {
        if (is_named) refuse("{}() got multiple values for argument '{}'", function_, name);
        return &arguments_.positional[next_++];
    }
    if (!is_named) return nullptr;
    ++named_taken_;
    return &named->second;
}

const Value& ArgumentReader::required(std::string_view name) {
    const Value* value = take(name);
    if (!value) refuse("{}() misses its argument '{}'", function_, name);
    return *value;
}

Value ArgumentReader::optional(std::string_view name, Value otherwise) {
    const Value* value = take(name);
    return value ? *value : std::move(otherwise);
}

bool ArgumentReader::flag(Runtime& runtime, std::string_view name, bool otherwise) {
    const Value* value = take(name);
    return value ? truth(runtime, *value) : otherwise;
}

std::int64_t ArgumentReader::integer(std::string_view name, std::int64_t otherwise) {
    const Value* value = take(name);
    return value ? index_of(*value, name) : otherwise;
}

std::string_view ArgumentReader::text(std::string_view name) { return text_of(required(name), name); }

std::string_view ArgumentReader::text(std::string_view name, std::string_view otherwise) {
    const Value* value = take(name);
    return value ? text_of(*value, name) : otherwise;
}

std::vector<Value> ArgumentReader::rest() {
    const auto begin = arguments_.positional.begin() + static_cast<std::ptrdiff_t>(next_);
    next_ = arguments_.positional.size();
    return {begin, arguments_.positional.end()};
}

void ArgumentReader::finish() const {
    if (next_ < arguments_.positional.size()) {
        refuse("{}() takes at most {} arguments, {} were given", function_, next_,
               arguments_.positional.size());
    }
    if (named_taken_ < arguments_.named.size()) {
        refuse("{}() got an unexpected keyword argument, or one too many, among '{}'", function_,
               arguments_.named.back().first);
    }
}

std::int64_t index_of(const Value& value, std::string_view what) {
    if (const Undefined* u = value.undefined()) refuse("{}", u->message());
    if (const auto integer = value.integer()) return *integer;
    refuse("{}: '{}' object cannot be interpreted as an integer", what, value.type_name());
}

std::string_view text_of(const Value& value, std::string_view what) {
    if (const String* s = value.string()) return s->text;
    refuse("{}: expected a string, got {}", what, value.type_name());
}

}  // namespace kvsplit::text::jinja
