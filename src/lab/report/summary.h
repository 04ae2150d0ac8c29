// What the figures of a comparison say: the caches side by side, which of them no other beats, and which to
// take.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "lab/compare_results.h"

namespace kvsplit::lab {

// Mean divergence in nats up to which a cache is recommended. A thousandth of a nat is a few times less than
// what rounding the activations to int8 does in every normal run.
constexpr double kEverydayKld = 1e-3;
// And up to which it is as good as f16 for all that a reader of the output could tell.
constexpr double kFaithfulKld = 1e-4;

struct SummaryRow {
    KvSpec spec;
    std::string name;
    KvStats kv;                               // at Summary::context
    const CompareQuality* quality = nullptr;  // null: not measured
    bool on_front = false;                    // no other is as small (to a thousandth) and closer to f16

    std::size_t bytes() const { return kv.bytes.total(); }
    // Mean divergence from f16, nats; nothing for f16 itself, or where it was not measured.
    std::optional<double> kld() const;
    // The mean divergence and two standard errors more are below: not by chance of the text.
    bool surely_within(double limit) const;
};

// Two caches with the same widths the other way round, and so the same bytes.
struct Mirror {
    const SummaryRow *more_for_keys = nullptr, *more_for_values = nullptr;
    double ratio() const { return *more_for_values->kld() / *more_for_keys->kld(); }
};

// Points into itself and into the results, which must outlive it.
struct Summary {
    explicit Summary(const CompareResults& results);
    Summary(const Summary&) = delete;
    Summary& operator=(const Summary&) = delete;

    const CompareResults& results;
    int context = 0;                        // tokens held where memory is compared
    std::vector<SummaryRow> rows;           // in the order of the settings
    std::vector<Mirror> mirrors;            // the greatest ratio first
    const SummaryRow* reference = nullptr;  // f16
    const SummaryRow* everyday = nullptr;   // the smallest surely within kEverydayKld, or null
    const SummaryRow* faithful = nullptr;   // the smallest surely within kFaithfulKld, or null
    const SummaryRow* closest = nullptr;    // the least divergence of all

    // A limit of the mean divergence, for what was measured: noise of the arithmetic lies under every figure.
    double limit(double kld) const { return kld + (results.floor ? results.floor->kld_mean : 0); }

  private:
    void find_front();
    void find_mirrors();
    const SummaryRow* smallest_within(double kld) const;
};

// The widths alone, without overrides and codec options.
bool is_plain(const KvSpec& spec);

// The recommendation in plain sentences, with its reason; a sentence each.
std::vector<std::string> advice(const Summary& summary);

}  // namespace kvsplit::lab
