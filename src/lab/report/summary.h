// Summary: the caches of a comparison side by side, the ones that no other beats, and a recommendation.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "lab/compare_results.h"

namespace kvsplit::lab {

// The largest mean divergence, in nats, at which a cache is recommended: a few times less than the effect of
// rounding activations to 8 bits.
constexpr double kEverydayKld = 1e-3;
// The largest mean divergence at which readers cannot tell a cache's output from f16's.
constexpr double kFaithfulKld = 1e-4;

struct SummaryRow {
    KvSpec spec;
    std::string name;
    KvStats kv;                               // at Summary::context
    const CompareQuality* quality = nullptr;  // null: not measured
    bool on_front = false;                    // no other is as small (to a thousandth) and closer to f16

    std::size_t bytes() const { return kv.bytes.total(); }
    // Mean divergence from f16, in nats; nullopt for f16 itself, or if not measured.
    std::optional<double> kld() const;
    // Whether the mean divergence plus two standard errors is at most `limit`: not by chance of the text.
    bool surely_within(double limit) const;
};

// Two caches with swapped widths, hence the same bytes.
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
    int context = 0;                        // tokens held by the caches whose memory is compared
    std::vector<SummaryRow> rows;           // in the order of the settings
    std::vector<Mirror> mirrors;            // by descending ratio
    const SummaryRow* reference = nullptr;  // f16
    const SummaryRow* everyday = nullptr;   // the smallest surely within kEverydayKld, or null
    const SummaryRow* faithful = nullptr;   // the smallest surely within kFaithfulKld, or null
    const SummaryRow* closest = nullptr;    // the least divergence of all

    // A limit plus the noise floor, which every measured divergence includes.
    double limit(double kld) const { return kld + (results.floor ? results.floor->kld_mean : 0); }

  private:
    void find_front();
    void find_mirrors();
    const SummaryRow* smallest_within(double kld) const;
};

// The widths alone, without overrides and codec options.
bool is_plain(const KvSpec& spec);

// The recommendation and its reasons, one sentence per element.
std::vector<std::string> advice(const Summary& summary);

}  // namespace kvsplit::lab
