// Filters: value | name(arguments).
#pragma once

#include <span>
#include <string_view>

#include "text/jinja/ast.h"

namespace kvsplit::text::jinja {

class Runtime;
struct Arguments;

// Null if there is no such filter.
FilterFunction find_filter(std::string_view name);

// The filters that `map` and `select` apply by name. Refuse names that do not exist.
Value call_filter(Runtime& runtime, const Value& name, const Value& value, const Arguments& arguments);

struct FilterEntry {
    std::string_view name;
    FilterFunction function;
};
std::span<const FilterEntry> text_filters();
std::span<const FilterEntry> number_filters();
std::span<const FilterEntry> sequence_filters();
std::span<const FilterEntry> selection_filters();

}  // namespace kvsplit::text::jinja
