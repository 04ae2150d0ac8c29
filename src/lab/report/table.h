// Tables for a page or for a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace kvsplit::lab {

struct Table {
    struct Column {
        std::string heading;  // lines separated by \n
        bool extra = false;   // a narrow page does without it
        bool left = false;    // where its text stands on a terminal; the first column's is always on the left
    };
    struct Row {
        std::vector<std::string> cells;  // the first names the row; as many as columns, or fewer
        bool best = false;
        std::string remark = {};  // after the cells, on a terminal
    };
    // An ASCII title over several columns whose headings have one line, on a terminal.
    struct Group {
        std::string title;
        std::size_t first = 0, count = 0;  // columns
    };
    std::string caption;
    std::vector<Column> columns;
    std::vector<Row> rows = {};
    std::vector<Group> groups = {};
    std::size_t gap = 2;           // spaces between columns, on a terminal
    std::size_t longest_name = 0;  // a longer name gets a line of its own, on a terminal; 0: none does
};

// In ASCII where the cells are, as wide as it needs to be: columns never touch, whatever the cells hold. No
// heading where all are empty.
std::string to_text(const Table& table);
std::string to_html(const Table& table);

}  // namespace kvsplit::lab
