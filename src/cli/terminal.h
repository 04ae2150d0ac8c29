// Properties of the terminal that the program prints to.
#pragma once

#include <string>
#include <string_view>

namespace kvsplit::cli {

// Whether the descriptor is a terminal with escape sequences, so that a line can be replaced: not if TERM is
// unset, empty or "dumb".
bool can_erase_lines(int fd);

// Columns of the descriptor's terminal; 80 if unknown.
int terminal_columns(int fd);

// The columns that a character takes: 0 for combining characters, 2 for wide ones, 1 for those that cannot be
// shown.
int column_count(char32_t c);

// The longest prefix of whole UTF-8 characters that fits into `columns`.
std::string_view cut_to_columns(std::string_view line, int columns);

}  // namespace kvsplit::cli
