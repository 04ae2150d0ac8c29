// Lines of a terminal, edited with libedit: arrow keys, history, pasted text of several lines.
#pragma once

#include <memory>

#include "cli/line_reader.h"

namespace kvsplit::cli {

// For standard input and standard error, which are a terminal that understands escape sequences. Only where
// the program is built with libedit (KVSPLIT_HAS_LIBEDIT). Throws Error(kIo) where that cannot work.
std::unique_ptr<LineReader> make_line_editor(bool history);

}  // namespace kvsplit::cli
