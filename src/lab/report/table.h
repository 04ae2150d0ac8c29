// Tables for a page or for a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace kvsplit::lab {

struct Table {
    struct Column {
        std::string heading;  // lines separated by \n
        bool extra = false;   // left out of a narrow page
        bool left = false;    // left-aligned on a terminal, as the first column always is
    };
    struct Row {
        std::vector<std::string> cells;  // the first names the row; as many as columns, or fewer
        bool best = false;
        std::string remark = {};  // after the cells, on a terminal
    };
    // An ASCII title, on a terminal, over several columns with one-line headings.
    struct Group {
        std::string title;
        std::size_t first = 0, count = 0;  // columns
    };
    std::string caption;
    std::vector<Column> columns;
    std::vector<Row> rows = {};
    std::vector<Group> groups = {};
    std::size_t gap = 2;           // spaces between columns, on a terminal
    std::size_t longest_name = 0;  // a longer name gets its own line on a terminal; 0: never
};

// ASCII if the cells are. As wide as needed: columns never touch, whatever the cells contain. No heading if
// all are empty.
std::string to_text(const Table& table);
std::string to_html(const Table& table);

}  // namespace kvsplit::lab
