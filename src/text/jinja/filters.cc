#include "text/jinja/filters.h"

#include <unordered_map>

#include "text/jinja/arguments.h"
#include "text/jinja/runtime.h"
#include "text/jinja/show.h"
#include "text/jinja/template_error.h"

namespace kvsplit::text::jinja {
namespace {

std::unordered_map<std::string_view, FilterFunction> all_filters() {
    std::unordered_map<std::string_view, FilterFunction> out;
    for (const auto group : {text_filters(), number_filters(), sequence_filters(), selection_filters()})
        for (const FilterEntry& entry : group) out.emplace(entry.name, entry.function);
    return out;
}

}  // namespace

FilterFunction find_filter(std::string_view name) {
    static const auto filters = all_filters();
    const auto it = filters.find(name);
    return it == filters.end() ? nullptr : it->second;
}

Value call_filter(Runtime& runtime, const Value& name, const Value& value, const Arguments& arguments) {
    const FilterFunction function = name.string() ? find_filter(name.string()->text) : nullptr;
    if (!function) refuse("No filter named {}.", plain_repr(name));
    const Runtime::Nested nested(runtime);
    return function(runtime, value, arguments);
}

}  // namespace kvsplit::text::jinja
