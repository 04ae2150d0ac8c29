#include "lab/report/table.h"

#include <fmt/core.h>

#include <algorithm>
#include <sstream>

#include "base/html.h"
#include "lab/report/format.h"

namespace kvsplit::lab {
namespace {

using Line = std::vector<std::string>;

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

// The number of UTF-8 characters.
std::size_t length_of(const std::string& text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// The headings' lines, from the top, aligned at the bottom.
std::vector<Line> heading_lines(const Table& table) {
    std::vector<std::vector<std::string>> headings;
    std::size_t height = 0;
    for (const auto& column : table.columns) {
        headings.push_back(lines_of(ascii(column.heading)));
        height = std::max(height, headings.back().size());
    }
    std::vector<Line> lines(height);
    for (auto& heading : headings) {
        heading.insert(heading.begin(), height - heading.size(), "");
        for (std::size_t i = 0; i < height; ++i) lines[i].push_back(heading[i]);
    }
    return lines;
}

class TextTable {
  public:
    explicit TextTable(const Table& table)
        : table_(table), headings_(heading_lines(table)), widths_(table.columns.size()) {
        for (const Line& line : headings_) fit(line);
        for (const auto& row : table.rows) {
            rows_.emplace_back();
            for (const auto& cell : row.cells) rows_.back().push_back(ascii(cell));
            fit(rows_.back());
        }
        for (const auto& group : table.groups) {
            const std::size_t width = width_of(group), title = length_of(group.title);
            if (title > width) widths_[group.first + group.count - 1] += title - width;
        }
    }

    std::string text() const {
        std::string out;
        if (!table_.groups.empty() && headings_.size() < 2) out += with_groups("");
        for (std::size_t i = 0; i < headings_.size(); ++i) {
            const bool titled = i == 0 && headings_.size() > 1 && !table_.groups.empty();
            const std::string line = text_of(headings_[i], "");
            out += titled ? with_groups(line.substr(0, line.size() - 1)) : line;
        }
        for (std::size_t i = 0; i < rows_.size(); ++i) out += text_of(rows_[i], table_.rows[i].remark);
        return out;
    }

  private:
    bool is_long(const std::string& name) const {
        return table_.longest_name > 0 && length_of(name) > table_.longest_name;
    }

    void fit(const Line& line) {
        for (std::size_t i = 0; i < line.size(); ++i) {
            if (i == 0 && is_long(line[0])) continue;
            widths_[i] = std::max(widths_[i], length_of(line[i]));
        }
    }

    std::size_t width_of(const Table::Group& group) const {
        std::size_t width = (group.count - 1) * table_.gap;
        for (std::size_t i = 0; i < group.count; ++i) width += widths_[group.first + i];
        return width;
    }

    // A line with the groups' titles, each centred over its columns, which are empty there.
    std::string with_groups(std::string line) const {
        std::size_t at = 0;  // where a column begins
        for (std::size_t column = 0; column < widths_.size(); at += widths_[column++] + table_.gap) {
            for (const auto& group : table_.groups) {
                if (group.first != column) continue;
                const std::size_t begin = at + (width_of(group) - length_of(group.title)) / 2;
                line.resize(std::max(line.size(), begin + group.title.size()), ' ');
                line.replace(begin, group.title.size(), group.title);
            }
        }
        return line + "\n";
    }

    std::string text_of(const Line& line, const std::string& remark) const {
        std::string out;
        for (std::size_t i = 0; i < line.size(); ++i) {
            if (i > 0) out.append(table_.gap, ' ');
            if (i == 0 && is_long(line[0])) {
                out += line[0];
                if (line.size() > 1) out += "\n" + std::string(widths_[0], ' ');
                continue;
            }
            const std::string space(widths_[i] - length_of(line[i]), ' ');
            out += i == 0 || table_.columns[i].left ? line[i] + space : space + line[i];
        }
        if (!remark.empty()) out += "  " + remark;
        out.erase(out.find_last_not_of(' ') + 1);
        return out + "\n";
    }

    const Table& table_;
    std::vector<Line> headings_, rows_;
    std::vector<std::size_t> widths_;
};

}  // namespace

std::string to_text(const Table& table) { return TextTable(table).text(); }

std::string to_html(const Table& table) {
    const auto attributes = [&](std::size_t column) {
        return std::string(table.columns[column].extra ? " class=\"extra\"" : "");
    };
    std::string out = "<div class=\"scroll\" role=\"region\" aria-label=\"table\" tabindex=\"0\">\n<table>\n";
    if (!table.caption.empty()) out += fmt::format("<caption>{}</caption>\n", escape_html(table.caption));
    out += "<thead><tr>";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        out +=
            fmt::format("<th scope=\"col\"{}>{}</th>", attributes(i), escape_html(table.columns[i].heading));
    }
    out += "</tr></thead>\n<tbody>\n";
    for (const auto& row : table.rows) {
        out += fmt::format("<tr{}><th scope=\"row\">{}</th>", row.best ? " class=\"best\"" : "",
                           escape_html(row.cells[0]));
        for (std::size_t i = 1; i < row.cells.size(); ++i) {
            out += fmt::format("<td{}>{}</td>", attributes(i), escape_html(row.cells[i]));
        }
        out += "</tr>\n";
    }
    return out + "</tbody>\n</table>\n</div>\n";
}

}  // namespace kvsplit::lab
