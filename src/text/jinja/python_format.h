// Python's two ways to format values: '%s: %d' % values and '{}: {:d}'.format(values).
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

class Runtime;
struct Arguments;

// format % values: a tuple of them, a dict for %(name)s, or one value.
Value percent_format(Runtime& runtime, const String& format, const Value& values);
Value brace_format(Runtime& runtime, const String& format, const Arguments& arguments);

// How to print a number: the presentation types d i u x X o b, e E f F g G %, and for floats '\0' (none).
// precision -1: not given.
struct NumberStyle {
    char type = 'd';
    std::int64_t precision = -1;
    bool alternate = false;  // '#': with a prefix, or with trailing zeros
    char sign = '-';         // '-': for negative numbers only; '+': always; ' ': a space for the others
    char thousands = '\0';   // ',' or '_' between groups of digits
};
// Sign and prefix first, digits after them.
struct NumberText {
    std::string sign, digits;
};
NumberText format_integer(std::int64_t value, const NumberStyle& style);
NumberText format_float(Runtime& runtime, double value, const NumberStyle& style);

}  // namespace kvsplit::text::jinja
