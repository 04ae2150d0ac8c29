// The text that measurements use when the user gives none.
#pragma once

#include <string_view>

namespace kvsplit::lab {

// "War and Peace", Book One: about 278,000 bytes of UTF-8 prose, 65,000 tokens or so. Compiled into the
// program; the same in every build. Thread-safe.
std::string_view builtin_text();

// What reports call it.
inline constexpr std::string_view kBuiltinTextName = "War and Peace, Book One (built in)";

}  // namespace kvsplit::lab
