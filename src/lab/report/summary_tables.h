// Tables of a comparison, for a page or for a terminal.
#pragma once

#include "lab/report/summary.h"
#include "lab/report/table.h"

namespace kvsplit::lab {

// One line per cache: memory, divergence, and speed at Summary::context.
Table overview_table(const Summary& summary);
// Everything about perplexity and divergence.
Table quality_table(const Summary& summary);
// Bytes at each context.
Table memory_table(const Summary& summary);
// Tokens per second at each context.
Table speed_table(const Summary& summary);

}  // namespace kvsplit::lab
