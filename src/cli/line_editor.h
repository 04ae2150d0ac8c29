// Reads lines from a terminal with libedit: arrow keys, history, pasted text of several lines.
#pragma once

#include <memory>

#include "cli/line_reader.h"

namespace kvsplit::cli {

// Standard input and standard error must be a terminal with escape sequences. Only in builds with libedit
// (KVSPLIT_HAS_LIBEDIT). Throws Error(kIo) if libedit cannot start.
std::unique_ptr<LineReader> make_line_editor(bool history);

}  // namespace kvsplit::cli
