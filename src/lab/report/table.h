// Tables of a comparison, for a page or for a terminal.
#pragma once

#include <string>
#include <vector>

#include "lab/report/summary.h"

namespace kvsplit::lab {

struct Table {
    struct Column {
        std::string heading;  // lines separated by \n
        bool extra = false;   // a narrow page does without it
    };
    struct Row {
        std::vector<std::string> cells;  // the first names the row
        bool best = false;
    };
    std::string caption;
    std::vector<Column> columns;
    std::vector<Row> rows;
};

// Each cache in a line: memory, divergence, speed at Summary::context.
Table overview_table(const Summary& summary);
// What there is to say about perplexity and divergence.
Table quality_table(const Summary& summary);
// Bytes at each context.
Table memory_table(const Summary& summary);
// Tokens per second at each context.
Table speed_table(const Summary& summary);

// In ASCII, as wide as it needs to be.
std::string to_text(const Table& table);
std::string to_html(const Table& table);

}  // namespace kvsplit::lab
