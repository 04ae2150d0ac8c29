// What the program knows of the terminal that it prints to.
#pragma once

#include <string>
#include <string_view>

namespace kvsplit::cli {

// Whether the descriptor is a terminal that understands escape sequences, so that a line can be replaced:
// not where TERM is unset, empty or "dumb".
bool can_erase_lines(int fd);

// Columns of the descriptor's terminal; 80 where it does not tell.
int terminal_columns(int fd);

// The columns that a character takes: 0 for one that combines with the character before it, 2 for wide ones.
// One for what cannot be shown.
int column_count(char32_t c);

// The beginning of a UTF-8 text that takes at most so many columns; whole characters.
std::string_view cut_to_columns(std::string_view line, int columns);

}  // namespace kvsplit::cli
