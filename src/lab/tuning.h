// Chooses a precision for a model by measurement: quickly at a program's start, or thoroughly, layer by
// layer, with a check on a second text.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "lab/comparison.h"
#include "lab/layer_costs.h"

namespace kvsplit::lab {

inline constexpr double kDefaultMaxKld = 0.001;  // nats per token: about k5v4

// The smallest cache whose expected mean KL divergence from an f16 cache is at most max_kld, from a probe of
// a few thousand tokens of the built-in text: one pair of widths, or others for the outermost layers where
// that saves a tenth of a bit. f16 for a model whose context is too short to tell. Throws Error(kCancelled)
// when stopped.
Choice choose_automatically(const std::shared_ptr<Model>& model, double max_kld,
                            const ProbeCallback& callback = {});

struct TuneOptions {
    double max_bits = 0;                // per element of sealed pages, mean of keys and values; or 0
    double max_kld = kDefaultMaxKld;    // if max_bits is 0
    std::string_view text, check_text;  // for measuring the layers, and for comparing the results
    int context = 1024;
    int chunks = 2, check_chunks = 4;  // of each
};

struct TuneReport {
    LayerCosts costs;
    Choice layered, uniform;                        // uniform is at most as large
    Divergence layered_measured, uniform_measured;  // from the f16 cache, on the check text
    std::size_t tokens_checked = 0;
    // Whether per-layer widths win on the check text by more than the standard error.
    bool layered_is_better() const;
    const Choice& best() const { return layered_is_better() ? layered : uniform; }
};

// The callback's fraction covers both steps. Throws like measure_perplexity(), and Error(kCancelled) when
// stopped.
TuneReport tune(const std::shared_ptr<Model>& model, const TuneOptions& options,
                const ProbeCallback& callback = {});

}  // namespace kvsplit::lab
