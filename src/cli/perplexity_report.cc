#include "cli/perplexity_report.h"

#include <array>

namespace kvsplit::cli {
namespace {

// ---- The tables

struct Column {
    const char* top;  // first line of the heading; null: the one before goes on
    const char* title;
    std::size_t width;  // with the space in front
    bool marked;        // one more character: '~' or nothing
};
constexpr std::size_t kNameWidth = 11;  // longer names get a line of their own
constexpr std::array<Column, 14> kColumns{{{"", "PPL", 9, false},
                                           {"", "+-", 7, false},
                                           {"PPL change, %", "", 8, true},
                                           {nullptr, "+-", 6, false},
                                           {"KL divergence, 1e-3 nats", "mean", 7, true},
                                           {nullptr, "median", 7, true},
                                           {nullptr, "99 %", 7, true},
                                           {nullptr, "99.9 %", 7, true},
                                           {"same", "top, %", 7, true},
                                           {"RMS of", "dp, %", 7, true},
                                           {"bits/element", "keys", 6, false},
                                           {nullptr, "values", 7, false},
                                           {"cache", "bytes", 10, false},
                                           {"saved", "%", 7, false}}};

struct Cell {
    std::string text = "-";
    bool marked = false;
};
using Cells = std::array<Cell, kColumns.size()>;

// Two lines: what a group of columns is, centred over it, and the columns' own titles.
std::string heading() {
    std::string top(kNameWidth, ' '), bottom = fmt::format("{:<{}}", "cache", kNameWidth);
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
        const auto mark = static_cast<std::size_t>(kColumns[i].marked);
        bottom += fmt::format("{:>{}}{:{}}", kColumns[i].title, kColumns[i].width, "", mark);
        if (!kColumns[i].top) continue;
        std::size_t width = kColumns[i].width + mark, end = i + 1;
        for (; end < kColumns.size() && !kColumns[end].top; ++end) {
            width += kColumns[end].width + static_cast<std::size_t>(kColumns[end].marked);
        }
        top += end == i + 1 ? fmt::format("{:>{}}{:{}}", kColumns[i].top, kColumns[i].width, "", mark)
                            : fmt::format(" {:^{}}", kColumns[i].top, width - 1);
    }
    return top + "\n" + bottom + "\n";
}

std::string line(const std::string& name, const Cells& cells) {
    std::string out = name.size() <= kNameWidth ? fmt::format("{:<{}}", name, kNameWidth)
                                                : name + "\n" + std::string(kNameWidth, ' ');
    for (std::size_t i = 0; i < cells.size(); ++i) {
        out += fmt::format("{:>{}}", cells[i].text, kColumns[i].width);
        if (kColumns[i].marked) out += cells[i].marked ? '~' : ' ';
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out + "\n";
}

// Nats in thousandths, five digits: "0.0003", "17.532", "1051.2".
std::string milli(double nats) {
    const double x = 1e3 * nats;
    return fmt::format("{:.{}f}", x, x < 9.99995 ? 4 : x < 99.9995 ? 3 : x < 999.995 ? 2 : 1);
}

Cells cells_of(const lab::PerplexityResult& r, const std::optional<lab::Divergence>& d) {
    Cells out;
    out[0].text = fmt::format("{:.4f}", r.perplexity.value);
    out[1].text = fmt::format("{:.4f}", r.perplexity.stderr_);
    if (d) {
        const lab::BelowFloor below = r.below_floor.value_or(lab::BelowFloor{});
        out[2] = {fmt::format("{:+.3f}", d->ppl_change_pct), below.ppl_change};
        out[3] = {fmt::format("{:.3f}", d->ppl_change_stderr_pct)};
        out[4] = {milli(d->kld_mean), below.kld_mean};
        out[5] = {milli(d->kld_median), below.kld_median};
        out[6] = {milli(d->kld_p99), below.kld_p99};
        out[7] = {milli(d->kld_p999), below.kld_p999};
        out[8] = {fmt::format("{:.2f}", 100 * d->top1_agreement), below.top1_agreement};
        out[9] = {fmt::format("{:.3f}", 100 * d->rms_dp), below.rms_dp};
    }
    out[10].text = fmt::format("{:.2f}", r.kv.key_bits_per_element);
    out[11].text = fmt::format("{:.2f}", r.kv.value_bits_per_element);
    out[12].text = format_bytes(double(r.kv.bytes.total()));
    out[13].text = fmt::format("{:.1f}", r.kv.saved_pct());
    return out;
}

std::string caches_table(const lab::PerplexityReport& report) {
    std::string out = heading();
    for (const auto& r : report.results) {
        const bool reference = r.spec == KvSpec::parse("f16");
        out += line(r.spec.name(), cells_of(r, reference ? std::nullopt : r.vs_f16));
    }
    if (report.floor) {
        Cells cells = cells_of(*report.floor, report.floor->vs_f16);
        for (std::size_t i = 10; i < cells.size(); ++i) cells[i].text.clear();
        out += line("noise floor", cells);
    }
    return out;
}

std::string base_table(const lab::PerplexityReport& report, const MeasuredRun& run) {
    std::string out = fmt::format("\nAgainst the f16 cache of {}{}: PPL {:.4f} +- {:.4f}\n\n", run.base,
                                  run.base_activation_bits == 32 ? " in exact arithmetic" : "",
                                  report.base->perplexity.value, report.base->perplexity.stderr_);
    out += heading();
    bool divided = false;  // weights from cache
    for (auto r : report.results) {
        r.below_floor.reset();  // it speaks of the other table
        out += line(r.spec.name(), cells_of(r, r.vs_base));
        divided |= r.spec == KvSpec::parse("f16");
    }
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
