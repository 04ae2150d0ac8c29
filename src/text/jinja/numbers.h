// Numbers from text and to text, by Python's rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvsplit::text::jinja {

// Of a letter or digit in numbers of any base; 99 for other characters.
int digit_value(char c);

// What int(text, base) takes: white space around it, a sign, single underscores between digits, and for bases
// 2, 8 and 16 a prefix. Nothing for other texts, and for numbers beyond 64 bits.
std::optional<std::int64_t> parse_integer(std::string_view text, int base);

// What float(text) takes: also "inf", "nan", underscores between digits.
std::optional<double> parse_float(std::string_view text);

// The shortest text that gives the number back: "1.0", "1e-07", "inf".
std::string float_repr(double value);

}  // namespace kvsplit::text::jinja
