// Numbers from text and to text, by Python's rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvsplit::text::jinja {

// The value of a letter or digit as a digit; 99 for other characters.
int digit_value(char c);

// Accepts what int(text, base) does: surrounding white space, a sign, single underscores between digits, and
// for bases 2, 8 and 16 a prefix. nullopt for other texts and for numbers beyond 64 bits.
std::optional<std::int64_t> parse_integer(std::string_view text, int base);

// Accepts what float(text) does, including "inf", "nan" and underscores between digits.
std::optional<double> parse_float(std::string_view text);

// The shortest text that reads back as the same number: "1.0", "1e-07", "inf".
std::string float_repr(double value);

}  // namespace kvsplit::text::jinja
