#include "lab/layer_costs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "base/error.h"
#include "lab/perplexity.h"

namespace kvsplit::lab {
namespace {

// Coarse enough to stand out from the noise. Keys of all layers at 2 bits cost more than the sum of their
// parts, so large groups use 3 bits.
constexpr int kProbeValueBits = 2;
int probe_key_bits(const LayerGroup& group, int n_layers) {
    return 3 * (group.last - group.first + 1) < n_layers ? 2 : 3;
}

constexpr int kProbesAtOnce = 16;  // caches held at a time

struct RelativeCost {
    int bits;
    double key, value;
};
// Mean KL divergence relative to 4 bits on the same side, the mean of SmolLM2-135M and Gemma-3-270M on 16
// chunks of 2,048 tokens of WikiText-2 (docs/quality.md). At 2 bits the keys' errors no longer add up; the
// figure is their cost together with values of 2 bits.
constexpr RelativeCost kRelativeCosts[] = {{8, 0.015, 0.003}, {6, 0.066, 0.06}, {5, 0.285, 0.29},
                                           {4, 1, 1},         {3, 4.5, 4.8},    {2, 22, 25}};

struct Probe {
    Side side;
    std::size_t group;
    int bits;
    KvSpec spec;
};

std::vector<Probe> make_probes(const std::vector<LayerGroup>& groups, int tail, int n_layers) {
    std::vector<Probe> probes;
    for (std::size_t g = 0; g < groups.size(); ++g) {
        for (const Side side : {Side::kKeys, Side::kValues}) {
            const int bits = side == Side::kKeys ? probe_key_bits(groups[g], n_layers) : kProbeValueBits;
            const KvWidths widths = side == Side::kKeys ? KvWidths{bits, 16} : KvWidths{16, bits};
            KvSpec spec{16, 16};
            spec.tail = tail;
            spec.layers.push_back({groups[g].first, groups[g].last, widths});
            probes.push_back({side, g, bits, spec});
        }
    }
    return probes;
}

// Weighs bits against divergence for one model.
class Chooser {
  public:
    Chooser(const Model& model, const LayerCosts& costs, std::span<const LayerGroup> groups)
        : costs_(costs), groups_(groups.begin(), groups.end()) {
        const KvStats exact = model.plan(KvSpec{16, 16}, 0);
        exact_bits_ = exact.bits_per_element();
        for (const LayerGroup& group : groups_) {
            for (const int bits : kv_widths()) {
                KvSpec spec{16, 16};
                spec.layers.push_back({group.first, group.last, {bits, bits}});
                const KvStats stats = model.plan(spec, 0);
                bits_[{Side::kKeys, bits}].push_back(
                    exact.key_share * (stats.key_bits_per_element - exact.key_bits_per_element));
                bits_[{Side::kValues, bits}].push_back(
                    (1 - exact.key_share) * (stats.value_bits_per_element - exact.value_bits_per_element));
            }
        }
        for (std::size_t g = 0; g < groups_.size(); ++g)
            widths_.push_back({saving(Side::kKeys, g, 2), saving(Side::kValues, g, 2)});
    }

    double cost() const {
        double sum = 0;
        for (std::size_t g = 0; g < groups_.size(); ++g) {
            sum += group_cost(Side::kKeys, g) * relative_cost(Side::kKeys, widths_[g].key_bits);
            sum += group_cost(Side::kValues, g) * relative_cost(Side::kValues, widths_[g].value_bits);
        }
        return sum;
    }
    double bits() const {
        double sum = exact_bits_;
        for (std::size_t g = 0; g < groups_.size(); ++g)
            sum +=
                added(Side::kKeys, g, widths_[g].key_bits) + added(Side::kValues, g, widths_[g].value_bits);
        return sum;
    }

    // Widens the side and group that gain most per bit, while `more` accepts the result.
    template <typename More>
    void widen(More more) {
        while (true) {
            struct Step {
                double gain = -1;
                std::size_t group = 0;
                Side side = Side::kKeys;
            };
            std::vector<Step> steps;
            for (std::size_t g = 0; g < groups_.size(); ++g) {
                for (const Side side : {Side::kKeys, Side::kValues}) {
                    const int now = width(g, side), next = saving(side, g, wider(now));
                    if (next == now) continue;
                    const double gain =
                        group_cost(side, g) * (relative_cost(side, now) - relative_cost(side, next));
                    steps.push_back({gain / (added(side, g, next) - added(side, g, now)), g, side});
                }
            }
            std::ranges::sort(steps, [](const Step& a, const Step& b) { return a.gain > b.gain; });
            const auto taken = std::ranges::find_if(steps, [&](const Step& step) {
                int& bits = width(step.group, step.side);
                const int before = bits;
                bits = wider(bits);
                if (more(*this)) return true;
                bits = before;
                return false;
            });
            if (taken == steps.end()) return;
        }
    }

    Choice choice() const {
        std::map<std::pair<int, int>, int> count;
        for (std::size_t g = 0; g < groups_.size(); ++g)
            count[{widths_[g].key_bits, widths_[g].value_bits}] += static_cast<int>(layers(g));
        const auto most =
            std::ranges::max_element(count, {}, [](const auto& entry) { return entry.second; })->first;
        KvSpec spec{most.first, most.second};
        for (std::size_t g = 0; g < groups_.size(); ++g) {
            if (widths_[g] == spec.widths()) continue;
            auto& out = spec.layers;
            if (!out.empty() && out.back().widths == widths_[g] && out.back().last + 1 == groups_[g].first) {
                out.back().last = groups_[g].last;
            } else {
                out.push_back({groups_[g].first, groups_[g].last, widths_[g]});
            }
        }
        return {spec, bits(), cost()};
    }

  private:
    static int wider(int bits) {
        for (auto it = kv_widths().rbegin(); it != kv_widths().rend(); ++it) {
            if (*it > bits) return *it;
        }
        return bits;
    }
    // These bits where they save anything beside 16: codes of heads that are padded much may not.
    int saving(Side side, std::size_t g, int bits) const { return added(side, g, bits) < 0 ? bits : 16; }
    int& width(std::size_t group, Side side) {
        return side == Side::kKeys ? widths_[group].key_bits : widths_[group].value_bits;
    }
    double added(Side side, std::size_t g, int bits) const { return bits_.at({side, bits})[g]; }
    double layers(std::size_t g) const { return groups_[g].last - groups_[g].first + 1; }
    double group_cost(Side side, std::size_t g) const {
        const auto& of = side == Side::kKeys ? costs_.key : costs_.value;
        double sum = 0;
        for (int l = groups_[g].first; l <= groups_[g].last; ++l) sum += of[static_cast<std::size_t>(l)];
        return sum;
    }

    const LayerCosts& costs_;
    std::vector<LayerGroup> groups_;
    double exact_bits_;  // of an element, with 16 bits everywhere
    // What a side adds to exact_bits_ at a width, per group: layers may differ in their number of elements.
    std::map<std::pair<Side, int>, std::vector<double>> bits_;
    std::vector<KvWidths> widths_;  // of each group
};

// The best pair of widths by better(a, b) among those that `allowed` accepts; nullopt if it accepts none.
template <typename Allowed, typename Better>
std::optional<Choice> best_pair(const Model& model, const LayerCosts& costs, Allowed allowed, Better better) {
    std::optional<Choice> best;
    for (const int key : kv_widths()) {
        for (const int value : kv_widths()) {
            const KvSpec spec{key, value};
            const KvStats stats = model.plan(spec, 0);
            const Choice choice{spec, stats.bits_per_element(), costs.of(spec)};
            if (allowed(choice) && (!best || better(choice, *best))) best = choice;
        }
    }
    return best;
}

}  // namespace

double relative_cost(Side side, int bits) {
    for (const RelativeCost& cost : kRelativeCosts) {
        if (cost.bits == bits) return side == Side::kKeys ? cost.key : cost.value;
    }
    return 0;
}

double LayerCosts::of(const KvSpec& spec) const {
    double sum = 0;
    const int n = static_cast<int>(key.size());
    for (int l = 0; l < n; ++l) {
        const KvWidths w = spec.widths(l, n);
        sum += key[static_cast<std::size_t>(l)] * relative_cost(Side::kKeys, w.key_bits) +
               value[static_cast<std::size_t>(l)] * relative_cost(Side::kValues, w.value_bits);
    }
    return sum;
}

std::vector<LayerGroup> single_layers(int n_layers) {
    std::vector<LayerGroup> groups;
    for (int i = 0; i < n_layers; ++i) groups.push_back({i, i});
    return groups;
}

std::vector<LayerGroup> outer_and_inner_layers(int n_layers) {
    if (n_layers < 6) return single_layers(n_layers);
    return {{0, 1}, {2, n_layers - 3}, {n_layers - 2, n_layers - 1}};
}

LayerCosts probe_layer_costs(const std::shared_ptr<Model>& model, std::string_view text,
                             const ProbeOptions& options, const ProbeCallback& callback) {
    const auto probes = make_probes(options.groups, options.tail, model->info().n_cache_layers);
    const auto n_layers = static_cast<std::size_t>(model->info().n_cache_layers);
    LayerCosts costs{std::vector<double>(n_layers), std::vector<double>(n_layers)};
    for (std::size_t first = 0; first < probes.size(); first += kProbesAtOnce) {
        const std::size_t end = std::min(probes.size(), first + kProbesAtOnce);
        PerplexityOptions measure;
        measure.context = options.context;
        measure.chunks = options.chunks;
        measure.floor = options.floor;
        measure.specs.push_back(KvSpec{16, 16});
        for (std::size_t i = first; i < end; ++i) measure.specs.push_back(probes[i].spec);
        bool stopped = false;
        const auto report = measure_perplexity(model, text, measure, [&](const PerplexityProgress& progress) {
            const double done =
                static_cast<double>(first) + progress.fraction * static_cast<double>(end - first);
            stopped = callback && !callback(done / static_cast<double>(probes.size()));
            return !stopped;
        });
        if (stopped) fail(ErrorCode::kCancelled, "stopped while measuring what each layer costs");
        const double floor = report.floor ? report.floor->vs_f16->kld_mean : 0;
        for (std::size_t i = first; i < end; ++i) {
            const Probe& probe = probes[i];
            const Divergence& d = *report.results[i - first + 1].vs_f16;
            const LayerGroup& group = options.groups[probe.group];
            // A cost within the noise counts as one standard error.
            const double measured = std::max(d.kld_mean - floor, d.kld_stderr);
            const double each =
                measured / relative_cost(probe.side, probe.bits) / (group.last - group.first + 1);
            auto& side = probe.side == Side::kKeys ? costs.key : costs.value;
            std::fill(side.begin() + group.first, side.begin() + group.last + 1, each);
        }
    }
    return costs;
}

void check_budget(const Model& model, double max_bits) {
    double least = model.plan(KvSpec{16, 16}, 0).bits_per_element();
    for (const int key : {16, 2}) {  // codes of heads that are padded much may take more than 16 bits
        for (const int value : {16, 2})
            least = std::min(least, model.plan(KvSpec{key, value}, 0).bits_per_element());
    }
    if (max_bits < least) {
        fail(ErrorCode::kInvalidArgument,
             "{} bits per element: the least that this model's cache takes is {:.2f}", max_bits, least);
    }
}

Choice fewest_bits(const Model& model, const LayerCosts& costs, std::span<const LayerGroup> groups,
                   double max_kld) {
    Chooser chooser(model, costs, groups);
    // Widen until the limit is met.
    bool reached = chooser.cost() <= max_kld;
    chooser.widen([&](const Chooser& c) {
        if (reached) return false;
        reached = c.cost() <= max_kld;
        return true;
    });
    return chooser.choice();
}

Choice least_divergence(const Model& model, const LayerCosts& costs, std::span<const LayerGroup> groups,
                        double max_bits) {
    check_budget(model, max_bits);
    Chooser chooser(model, costs, groups);
    chooser.widen([&](const Chooser& c) { return c.bits() <= max_bits; });
    return chooser.choice();
}

Choice uniform_fewest_bits(const Model& model, const LayerCosts& costs, double max_kld) {
    const auto found = best_pair(
        model, costs, [&](const Choice& c) { return c.expected_kld <= max_kld; },
        [](const Choice& a, const Choice& b) {
            return a.bits_per_element != b.bits_per_element ? a.bits_per_element < b.bits_per_element
                                                            : a.expected_kld < b.expected_kld;
        });
    return found.value();  // 16 bits cost nothing
}

Choice uniform_least_divergence(const Model& model, const LayerCosts& costs, double max_bits) {
    check_budget(model, max_bits);
    const auto found = best_pair(
        model, costs, [&](const Choice& c) { return c.bits_per_element <= max_bits; },
        [](const Choice& a, const Choice& b) { return a.expected_kld < b.expected_kld; });
    return found.value();  // the least fits
}

}  // namespace kvsplit::lab
