#include "lab/tuning.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "lab/builtin_text.h"
#include "lab/perplexity.h"

namespace kvsplit::lab {
namespace {

constexpr int kAutomaticContext = 384;  // six pages: half of the tokens read two to four sealed ones
constexpr double kWorthwhileBits = 0.1;
constexpr double kCheckShare = 0.3;  // of the progress

bool takes_codes(const Model& model) {
    try {
        model.plan(KvSpec{2, 2}, 0);
        return true;
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kUnsupported) throw;
        return false;
    }
}

}  // namespace

Choice choose_automatically(const std::shared_ptr<Model>& model, double max_kld,
                            const ProbeCallback& callback) {
    if (!takes_codes(*model) || model->info().context_length < kAutomaticContext)
        return {KvSpec{16, 16}, 16, 0};
    ProbeOptions probe;
    probe.groups = outer_and_inner_layers(model->info().n_cache_layers);
    probe.context = kAutomaticContext;
    // In short contexts most tokens are in the exact tail. Without a tail, the built-in novel costs about as
    // much as encyclopedia text does at thousands of tokens.
    probe.tail = 0;
    probe.floor = !model->options().exact;
    const LayerCosts costs = probe_layer_costs(model, builtin_text(), probe, callback);
    const Choice uniform = uniform_fewest_bits(*model, costs, max_kld);
    const Choice layered = fewest_bits(*model, costs, probe.groups, max_kld);
    return layered.bits_per_element < uniform.bits_per_element - kWorthwhileBits ? layered : uniform;
}

bool TuneReport::layered_is_better() const {
    const double error = std::hypot(layered_measured.kld_stderr, uniform_measured.kld_stderr);
    return layered.spec != uniform.spec && layered_measured.kld_mean + error < uniform_measured.kld_mean;
}

TuneReport tune(const std::shared_ptr<Model>& model, const TuneOptions& options,
                const ProbeCallback& callback) {
    check_budget(*model, options.max_bits > 0 ? options.max_bits : 16);  // before all the measuring
    ProbeOptions probe;
    probe.groups = single_layers(model->info().n_cache_layers);
    probe.context = options.context;
    probe.chunks = options.chunks;
    probe.floor = !model->options().exact;
    TuneReport report;
    report.costs = probe_layer_costs(model, options.text, probe, [&](double fraction) {
        return !callback || callback(fraction * (1 - kCheckShare));
    });
    report.layered = options.max_bits > 0
                         ? least_divergence(*model, report.costs, probe.groups, options.max_bits)
                         : fewest_bits(*model, report.costs, probe.groups, options.max_kld);
    const double size = options.max_bits > 0 ? options.max_bits : report.layered.bits_per_element;
    report.uniform = uniform_least_divergence(*model, report.costs, size);

    PerplexityOptions check;
    check.context = options.context;
    check.chunks = options.check_chunks;
    check.specs = {KvSpec{16, 16}, report.uniform.spec};
    if (report.layered.spec != report.uniform.spec) check.specs.push_back(report.layered.spec);
    bool stopped = false;
    const auto measured =
        measure_perplexity(model, options.check_text, check, [&](const PerplexityProgress& progress) {
            stopped = callback && !callback(1 - kCheckShare * (1 - progress.fraction));
            return !stopped;
        });
    if (stopped) fail(ErrorCode::kCancelled, "stopped while checking the result");
    report.tokens_checked = measured.tokens_scored;
    report.uniform_measured = *measured.results[1].vs_f16;
    report.layered_measured = *measured.results.back().vs_f16;
    return report;
}

}  // namespace kvsplit::lab
