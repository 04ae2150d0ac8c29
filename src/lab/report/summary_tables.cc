#include "lab/report/summary_tables.h"

#include <fmt/core.h>

#include <functional>
#include <string>
#include <vector>

#include "lab/report/format.h"

namespace kvsplit::lab {
namespace {

using Test = SpeedResult::Test;

const Divergence* divergence_of(const SummaryRow& row) {
    return row.kld() ? &*row.quality->result.vs_f16 : nullptr;
}

// A figure that only some caches have.
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
            columns.push_back({fmt::format("{} at\ndepth {}", test, format_count(context))});
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

}  // namespace kvsplit::lab
