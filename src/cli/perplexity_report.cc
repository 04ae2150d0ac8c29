#include "cli/perplexity_report.h"

#include <utility>

#include "lab/report/table.h"

namespace kvsplit::cli {
namespace {

// ---- The tables

// A figure, marked if it is not above the noise floor.
std::string marked(std::string figure, bool below) { return std::move(figure) + (below ? '~' : ' '); }

lab::Table empty_table() {
    constexpr std::size_t kLongestName = 11;  // of "noise floor"
    return {"",
            {{"cache"},
             {"PPL"},
             {"+-"},
             {" "},
             {"+-"},
             {"mean "},
             {"median "},
             {"99 % "},
             {"99.9 % "},
             {"same \ntop, % "},
             {"RMS of \ndp, % "},
             {"keys"},
             {"values"},
             {"cache\nbytes"},
             {"saved\n%"}},
            {},
            {{"PPL change, %", 3, 2}, {"KL divergence, 1e-3 nats", 5, 4}, {"bits/element", 11, 2}},
            1,
            kLongestName};
}

// Nats in thousandths, five digits: "0.0003", "17.532", "1051.2".
std::string milli(double nats) {
    const double x = 1e3 * nats;
    return fmt::format("{:.{}f}", x, x < 9.99995 ? 4 : x < 99.9995 ? 3 : x < 999.995 ? 2 : 1);
}

void add_row(lab::Table& table, const std::string& name, const lab::PerplexityResult& r,
             const std::optional<lab::Divergence>& d) {
    std::vector<std::string> cells{name, fmt::format("{:.4f}", r.perplexity.value),
                                   fmt::format("{:.4f}", r.perplexity.stderr_)};
    if (d) {
        const lab::BelowFloor below = r.below_floor.value_or(lab::BelowFloor{});
        cells.insert(
            cells.end(),
            {marked(fmt::format("{:+.3f}", d->ppl_change_pct), below.ppl_change),
             fmt::format("{:.3f}", d->ppl_change_stderr_pct), marked(milli(d->kld_mean), below.kld_mean),
             marked(milli(d->kld_median), below.kld_median), marked(milli(d->kld_p99), below.kld_p99),
             marked(milli(d->kld_p999), below.kld_p999),
             marked(fmt::format("{:.2f}", 100 * d->top1_agreement), below.top1_agreement),
             marked(fmt::format("{:.3f}", 100 * d->rms_dp), below.rms_dp)});
    } else {
        cells.insert(cells.end(), {"- ", "-", "- ", "- ", "- ", "- ", "- ", "- "});
    }
    table.rows.push_back({std::move(cells)});
}

void add_size(lab::Table& table, const KvStats& kv) {
    auto& cells = table.rows.back().cells;
    cells.insert(
        cells.end(),
        {fmt::format("{:.2f}", kv.key_bits_per_element), fmt::format("{:.2f}", kv.value_bits_per_element),
         format_bytes(double(kv.bytes.total())), fmt::format("{:.1f}", kv.saved_pct())});
}

std::string caches_table(const lab::PerplexityReport& report) {
    lab::Table table = empty_table();
    for (const auto& r : report.results) {
        const bool reference = r.spec == KvSpec::parse("f16");
        add_row(table, r.spec.name(), r, reference ? std::nullopt : r.vs_f16);
        add_size(table, r.kv);
    }
    if (report.floor) add_row(table, "noise floor", *report.floor, report.floor->vs_f16);
    return to_text(table);
}

std::string base_table(const lab::PerplexityReport& report, const MeasuredRun& run) {
    std::string out = fmt::format("\nAgainst the f16 cache of {}{}: PPL {:.4f} +- {:.4f}\n\n", run.base,
                                  run.base_activation_bits == 32 ? " in exact arithmetic" : "",
                                  report.base->perplexity.value, report.base->perplexity.stderr_);
    lab::Table table = empty_table();
    bool divided = false;  // separates weights from cache
    for (auto r : report.results) {
        r.below_floor.reset();  // it applies to the other table
        add_row(table, r.spec.name(), r, r.vs_base);
        add_size(table, r.kv);
        divided |= r.spec == KvSpec::parse("f16");
    }
    out += to_text(table);
    if (divided) out += "\nf16: what the weights and their arithmetic do; the others: the cache as well.\n";
    return out;
}

std::string floor_note(const lab::PerplexityReport& report, const MeasuredRun& run) {
    if (report.floor) {
        return "\nnoise floor: f32 instead of f16 keys and values, a change without meaning; ~ marks what is "
               "not "
               "above it.\n";
    }
    if (run.activation_bits == 32)
        return "\nExact arithmetic: the divergence is the cache's; no noise floor measured.\n";
    return "\nNo noise floor measured: part of the divergence is the rounding of activations.\n";
}

// ---- JSON

Json below_floor_json(const std::optional<lab::BelowFloor>& below) {
    if (!below) return nullptr;
    Json names = Json::array();
    const auto add = [&](bool is_below, const char* name) {
        if (is_below) names.push_back(name);
    };
    add(below->ppl_change, "ppl_change_pct");
    add(below->kld_mean, "kld_mean");
    add(below->kld_median, "kld_median");
    add(below->kld_p99, "kld_p99");
    add(below->kld_p999, "kld_p999");
    add(below->top1_agreement, "top1_agreement");
    add(below->rms_dp, "rms_dp");
    return names;
}

Json result_json(const lab::PerplexityResult& r) {
    return {
        {"kv", r.spec.name()},
        {"ppl", r.perplexity.value},
        {"ppl_stderr", r.perplexity.stderr_},
        {"vs_f16", lab::divergence_json(r.vs_f16)},
        {"below_floor", below_floor_json(r.below_floor)},
        {"vs_base", lab::divergence_json(r.vs_base)},
        {"bits_per_element", {{"key", r.kv.key_bits_per_element}, {"value", r.kv.value_bits_per_element}}},
        {"kv_bytes", kv_bytes_json(r.kv)},
        {"saved_pct", r.kv.saved_pct()}};
}

Json base_json(const std::optional<lab::PerplexityResult>& base, const MeasuredRun& run) {
    if (!base) return nullptr;
    return {{"model", run.base},
            {"activation_bits", run.base_activation_bits},
            {"kv", base->spec.name()},
            {"ppl", base->perplexity.value},
            {"ppl_stderr", base->perplexity.stderr_}};
}

Json floor_json(const std::optional<lab::PerplexityResult>& floor) {
    if (!floor) return nullptr;
    return {{"kv", floor->spec.name()},
            {"ppl", floor->perplexity.value},
            {"ppl_stderr", floor->perplexity.stderr_},
            {"vs_f16", lab::divergence_json(floor->vs_f16)}};
}

}  // namespace

std::string perplexity_tables(const lab::PerplexityReport& report, const MeasuredRun& run) {
    std::string out = fmt::format(
        "{} chunk{} of {} tokens, {} tokens scored per cache, caches of {} in all\n\n", report.chunks,
        report.chunks == 1 ? "" : "s", format_count(run.context),
        format_count(static_cast<long long>(report.tokens_scored)), format_bytes(double(run.cache_bytes)));
    out += caches_table(report);
    const bool compared = report.results.front().vs_f16 && report.results.size() > 1;
    if (compared || report.floor) out += floor_note(report, run);
    if (report.base) out += base_table(report, run);
    return out;
}

Json perplexity_json(const lab::PerplexityReport& report, const MeasuredRun& run) {
    Json results = Json::array();
    for (const auto& r : report.results) results.push_back(result_json(r));
    return {{"model", run.model},
            {"text", run.text},
            {"context", run.context},
            {"activation_bits", run.activation_bits},
            {"chunks", report.chunks},
            {"tokens_scored", report.tokens_scored},
            {"floor", floor_json(report.floor)},
            {"base", base_json(report.base, run)},
            {"results", std::move(results)}};
}

}  // namespace kvsplit::cli
