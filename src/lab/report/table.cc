#include "lab/report/table.h"

#include <fmt/core.h>

#include <algorithm>
#include <sstream>

#include "base/html.h"
#include "lab/report/format.h"
#include "lab/report/svg.h"

namespace kvsplit::lab {
namespace {

using Test = SpeedResult::Test;

const Divergence* divergence_of(const SummaryRow& row) {
    return row.kld() ? &*row.quality->result.vs_f16 : nullptr;
}

// A figure that there is for some caches only.
template <typename T, typename F>
std::string cell(const T* source, F&& format) {
    return source ? format(*source) : "–";
}

std::string bytes_cell(std::size_t bytes) { return bytes ? format_bytes(double(bytes)) : "–"; }

std::string speed_cell(const SpeedResult* s) {
    return cell(s, [](const SpeedResult& r) { return fmt::format("{:.0f}", r.tokens_per_s); });
}

Table table_of(const Summary& summary, std::string caption, std::vector<Table::Column> columns,
               const std::function<std::vector<std::string>(const SummaryRow&)>& cells) {
    Table table{std::move(caption), std::move(columns), {}};
    for (const auto& row : summary.rows) table.rows.push_back({cells(row), &row == summary.everyday});
    return table;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

}  // namespace

Table overview_table(const Summary& summary) {
    const auto& results = summary.results;
    const auto at = format_count(summary.context);
    return table_of(
        summary, "",
        {{"cache"},
         {"bits, keys\nand values", true},
         {"memory"},
         {"saved"},
         {"peak\nmemory", true},
         {"perplexity", true},
         {"change, %", true},
         {"mean KLD\n10⁻³ nats"},
         {"99 %\nKLD", true},
         {"99.9 %\nKLD", true},
         {"same\ntoken", true},
         {"prefill\ntokens/s", true},
         {"decode\ntokens/s"}},
        [&](const SummaryRow& row) -> std::vector<std::string> {
            const auto* memory = results.memory_of(row.spec, summary.context);
            const auto* d = divergence_of(row);
            return {row.name,
                    fmt::format("{:.2f}  {:.2f}", row.kv.key_bits_per_element, row.kv.value_bits_per_element),
                    bytes_cell(row.bytes()),
                    row.bytes() ? fmt::format("{:.1f} %", row.kv.saved_pct()) : "–",
                    bytes_cell(memory ? memory->peak_rss : 0),
                    cell(row.quality,
                         [](const auto& q) { return fmt::format("{:.3f}", q.result.perplexity.value); }),
                    cell(d,
                         [](const auto& x) {
                             return fmt::format("{} ± {:.2f}", format_signed(x.ppl_change_pct, 2),
                                                x.ppl_change_stderr_pct);
                         }),
                    cell(d, [](const auto& x) { return format_kld(x.kld_mean); }),
                    cell(d, [](const auto& x) { return format_kld(x.kld_p99); }),
                    cell(d, [](const auto& x) { return format_kld(x.kld_p999); }),
                    cell(d, [](const auto& x) { return fmt::format("{:.1f} %", 100 * x.top1_agreement); }),
                    speed_cell(results.speed_of(row.spec, Test::kPrefill, summary.context)),
                    speed_cell(results.speed_of(row.spec, Test::kDecode, summary.context))};
        });
}

Table quality_table(const Summary& summary) {
    return table_of(
        summary, "Perplexity, and divergence (KLD) from f16 in 10⁻³ nats",
        {{"cache"},
         {"tokens"},
         {"perplexity"},
         {"change, %"},
         {"mean KLD"},
         {"median"},
         {"99 %"},
         {"99.9 %"},
         {"same\ntoken"},
         {"RMS\nchange of p"}},
        [&](const SummaryRow& row) -> std::vector<std::string> {
            const auto* d = divergence_of(row);
            const auto kld = [&](double Divergence::*field) {
                return cell(d, [&](const auto& x) { return format_kld(x.*field); });
            };
            return {row.name,
                    cell(row.quality,
                         [](const auto& q) {
                             return format_count(static_cast<long long>(q.tokens_scored)) +
                                    (q.whole ? "" : " (partial)");
                         }),
                    cell(row.quality,
                         [](const auto& q) {
                             const Mean& ppl = q.result.perplexity;
                             return fmt::format("{:.3f} ± {:.3f}", ppl.value, ppl.stderr_);
                         }),
                    cell(d,
                         [](const auto& x) {
                             return fmt::format("{} ± {:.3f}", format_signed(x.ppl_change_pct, 3),
                                                x.ppl_change_stderr_pct);
                         }),
                    cell(d,
                         [](const auto& x) {
                             return fmt::format("{} ± {}", format_kld(x.kld_mean), format_kld(x.kld_stderr));
                         }),
                    kld(&Divergence::kld_median),
                    kld(&Divergence::kld_p99),
                    kld(&Divergence::kld_p999),
                    cell(d, [](const auto& x) { return fmt::format("{:.2f} %", 100 * x.top1_agreement); }),
                    cell(d, [](const auto& x) { return fmt::format("{} %", format_short(100 * x.rms_dp)); })};
        });
}

Table memory_table(const Summary& summary) {
    const auto& results = summary.results;
    std::vector<Table::Column> columns{{"cache"}};
    for (const char* part : {"keys", "values", "exact", "total"}) {
        columns.push_back({fmt::format("{}\n{} tokens", part, format_count(summary.context))});
    }
    for (const int context : results.settings.contexts) {
        if (context != summary.context)
            columns.push_back({fmt::format("total\n{} tokens", format_count(context))});
    }
    columns.push_back({fmt::format("peak memory\n{} tokens", format_count(summary.context))});
    return table_of(summary, "Bytes of the cache, as allocated, and the most memory that the process held",
                    columns, [&](const SummaryRow& row) {
                        const KvBytes& b = row.kv.bytes;
                        std::vector<std::string> cells{row.name};
                        for (const std::size_t bytes : {b.key, b.value, b.exact}) {
                            cells.push_back(row.bytes() ? format_bytes(double(bytes)) : "–");
                        }
                        cells.push_back(bytes_cell(row.bytes()));
                        for (const int context : results.settings.contexts) {
                            if (context == summary.context) continue;
                            const auto* memory = results.memory_of(row.spec, context);
                            cells.push_back(bytes_cell(memory ? memory->kv.bytes.total() : 0));
                        }
                        const auto* memory = results.memory_of(row.spec, summary.context);
                        cells.push_back(bytes_cell(memory ? memory->peak_rss : 0));
                        return cells;
                    });
}

Table speed_table(const Summary& summary) {
    const auto& results = summary.results;
    std::vector<Table::Column> columns{{"cache"}};
    for (const char* test : {"prefill", "decode"}) {
        for (const int context : results.settings.contexts) {
            columns.push_back({fmt::format("{} behind\n{}", test, format_count(context))});
        }
    }
    return table_of(summary, "Tokens per second, ± standard deviation where it was measured more than once",
                    columns, [&](const SummaryRow& row) {
                        std::vector<std::string> cells{row.name};
                        for (const Test test : {Test::kPrefill, Test::kDecode}) {
                            for (const int context : results.settings.contexts) {
                                const auto* s = results.speed_of(row.spec, test, context);
                                cells.push_back(speed_cell(s));
                                if (s && s->stddev > 0) cells.back() += fmt::format(" ± {:.0f}", s->stddev);
                            }
                        }
                        return cells;
                    });
}

std::string to_text(const Table& table) {
    std::size_t heading_lines = 1;
    std::vector<std::vector<std::string>> headings;
    for (const auto& column : table.columns) {
        headings.push_back(lines_of(ascii(column.heading)));
        heading_lines = std::max(heading_lines, headings.back().size());
    }
    std::vector<std::vector<std::string>> lines(heading_lines);
    for (auto& heading : headings) {
        heading.insert(heading.begin(), heading_lines - heading.size(), "");
        for (std::size_t i = 0; i < heading_lines; ++i) lines[i].push_back(heading[i]);
    }
    for (const auto& row : table.rows) {
        lines.emplace_back();
        for (const auto& c : row.cells) lines.back().push_back(ascii(c));
    }
    std::vector<std::size_t> widths(table.columns.size());
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
    }
    std::string out;
    for (const auto& line : lines) {
        out += fmt::format("{:<{}}", line[0], widths[0]);
        for (std::size_t i = 1; i < line.size(); ++i) out += fmt::format("  {:>{}}", line[i], widths[i]);
        out.erase(out.find_last_not_of(' ') + 1);
        out += '\n';
    }
    return out;
}

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
