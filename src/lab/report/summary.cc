#include "lab/report/summary.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "lab/report/format.h"

namespace kvsplit::lab {
namespace {

KvSpec widths(int key_bits, int value_bits) {
    KvSpec spec;
    spec.key_bits = key_bits;
    spec.value_bits = value_bits;
    return spec;
}

// The context at which memory is compared: the longest one measured for all caches, else that of the
// divergence.
int memory_context(const CompareResults& results) {
    const auto& specs = results.settings.specs;
    int longest = results.settings.quality_context;
    for (const int context : results.settings.contexts) {
        const auto measured = [&](const KvSpec& spec) { return results.memory_of(spec, context) != nullptr; };
        if (std::all_of(specs.begin(), specs.end(), measured)) longest = context;
    }
    return longest;
}

KvStats stats_at(const CompareResults& results, const KvSpec& spec, int context) {
    if (const auto* memory = results.memory_of(spec, context)) return memory->kv;
    const auto* quality = results.quality_of(spec);
    return quality && context == results.settings.quality_context ? quality->result.kv : KvStats{};
}

// "decodes 1.3 times as fast as f16 at depth 4,096", or nothing.
std::string speed_clause(const Summary& summary, const SummaryRow& row) {
    const auto& results = summary.results;
    if (results.settings.contexts.empty()) return "";
    const int depth = results.settings.contexts.back();
    const auto* own = results.speed_of(row.spec, SpeedResult::Test::kDecode, depth);
    const auto* f16 = results.speed_of(summary.reference->spec, SpeedResult::Test::kDecode, depth);
    if (!own || !f16) return "";
    return fmt::format(", and decodes {:.2f} times as fast as f16 at depth {}",
                       own->tokens_per_s / f16->tokens_per_s, format_count(depth));
}

std::string quality_clause(const SummaryRow& row) {
    const Divergence& d = *row.quality->result.vs_f16;
    return fmt::format(
        "its mean divergence from f16 is {} thousandths of a nat, the most likely next token is the same at "
        "{:.1f} % of all positions, and perplexity changes by {} ± {:.2f} %",
        format_kld(d.kld_mean), 100 * d.top1_agreement, format_signed(d.ppl_change_pct, 2),
        d.ppl_change_stderr_pct);
}

}  // namespace

std::optional<double> SummaryRow::kld() const {
    if (!quality || !quality->result.vs_f16 || spec == widths(16, 16)) return std::nullopt;
    return quality->result.vs_f16->kld_mean;
}

bool SummaryRow::surely_within(double limit) const {
    return kld() && *kld() + 2 * quality->result.vs_f16->kld_stderr <= limit;
}

bool is_plain(const KvSpec& spec) { return spec == widths(spec.key_bits, spec.value_bits); }

Summary::Summary(const CompareResults& all) : results(all), context(memory_context(all)) {
    for (const KvSpec& spec : results.settings.specs) {
        rows.push_back(
            {spec, spec.name(), stats_at(results, spec, context), results.quality_of(spec), false});
    }
    for (const auto& row : rows) {
        if (row.spec == widths(16, 16)) reference = &row;
        if (row.kld() && (!closest || *row.kld() < *closest->kld())) closest = &row;
    }
    find_front();
    find_mirrors();
    everyday = smallest_within(kEverydayKld);
    faithful = smallest_within(kFaithfulKld);
}

void Summary::find_front() {
    for (auto& row : rows) {
        if (!row.kld()) continue;
        row.on_front = std::none_of(rows.begin(), rows.end(), [&](const SummaryRow& other) {
            if (!other.kld()) return false;
            // Padding differs by a few bytes between caches whose widths have the same sum.
            const bool as_small = double(other.bytes()) <= 1.001 * double(row.bytes());
            return as_small && *other.kld() < *row.kld();
        });
    }
}

void Summary::find_mirrors() {
    for (const auto& a : rows) {
        if (!a.kld() || !is_plain(a.spec) || a.spec.key_bits <= a.spec.value_bits) continue;
        for (const auto& b : rows) {
            const bool mirrored = b.spec == widths(a.spec.value_bits, a.spec.key_bits);
            if (mirrored && b.kld() && *a.kld() > 0) mirrors.push_back({&a, &b});
        }
    }
    std::stable_sort(mirrors.begin(), mirrors.end(),
                     [](const Mirror& a, const Mirror& b) { return a.ratio() > b.ratio(); });
}

const SummaryRow* Summary::smallest_within(double kld) const {
    const SummaryRow* best = nullptr;
    for (const auto& row : rows) {
        if (!row.on_front || !row.surely_within(limit(kld))) continue;
        if (!best || row.bytes() < best->bytes()) best = &row;
    }
    return best;
}

std::vector<std::string> advice(const Summary& summary) {
    std::vector<std::string> out;
    if (!summary.closest) return {"Nothing to recommend yet: no divergence was measured."};
    const auto saves = [](const SummaryRow& row) { return row.kld() && row.bytes() < row.kv.f16_total; };
    if (std::none_of(summary.rows.begin(), summary.rows.end(), saves)) {
        return {
            fmt::format("Nothing to recommend: with {} tokens no cache measured is smaller than f16, since "
                        "the latest tokens stay exact. Measure longer contexts.",
                        format_count(summary.context))};
    }
    const char* near = summary.results.floor
                           ? "one thousandth of a nat of f16 beyond the noise of the arithmetic"
                           : "one thousandth of a nat of f16";
    if (const auto* row = summary.everyday) {
        out.push_back(fmt::format("Take {}.", row->name));
        out.push_back(fmt::format(
            "It is the smallest cache measured that stays within {} with two standard errors added: {}.",
            near, quality_clause(*row)));
        out.push_back(fmt::format("At {} tokens it takes {} instead of {} ({:.0f} % less){}.",
                                  format_count(summary.context), format_bytes(double(row->bytes())),
                                  format_bytes(double(row->kv.f16_total)), row->kv.saved_pct(),
                                  speed_clause(summary, *row)));
    } else {
        const auto* closest = summary.closest;
        out.push_back(fmt::format("None of the caches measured stays within {}.", near));
        out.push_back(fmt::format("The closest is {}: {}.", closest->name, quality_clause(*closest)));
    }
    if (const auto* row = summary.faithful; row && row != summary.everyday) {
        out.push_back(
            fmt::format("If nothing may change, {} is within a tenth of that ({} thousandths of a nat) "
                        "and still saves {:.0f} %.",
                        row->name, format_kld(*row->kld()), row->kv.saved_pct()));
    }
    if (!summary.mirrors.empty() && summary.mirrors.front().ratio() > 1) {
        const Mirror& m = summary.mirrors.front();
        out.push_back(fmt::format(
            "Bits belong to the keys: {} and {} take the same memory, but {} diverges {:.1f} times as much.",
            m.more_for_keys->name, m.more_for_values->name, m.more_for_values->name, m.ratio()));
    }
    return out;
}

}  // namespace kvsplit::lab
