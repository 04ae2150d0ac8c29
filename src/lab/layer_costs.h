// The cost of each layer's key and value precision: a model of the divergence, fitted with a few coarse
// caches, that predicts finer ones.
//
// Small perturbations add up: a cache's mean KL divergence is close to the sum of the costs of each layer's
// keys and values alone. The cost of a width relative to another is a property of the codecs, nearly the same
// for all models (relative_cost(); docs/quality.md has the measurements). So one measurement per side and
// group of layers is enough, at a width coarse enough to stand out from the noise.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "kvsplit/kv_spec.h"
#include "kvsplit/model.h"

namespace kvsplit::lab {

enum class Side { kKeys, kValues };

// The cost of a width as a multiple of the cost of 4 bits; 0 at 16 bits and more.
double relative_cost(Side side, int bits);

// Costs at 4 bits, in nats of mean KL divergence.
struct LayerCosts {
    std::vector<double> key, value;  // one per layer

    double of(const KvSpec& spec) const;
};

// A first and a last layer, both included.
struct LayerGroup {
    int first, last;
};
// Each layer alone.
std::vector<LayerGroup> single_layers(int n_layers);
// The first two, the last two, and those between.
std::vector<LayerGroup> outer_and_inner_layers(int n_layers);

struct ProbeOptions {
    std::vector<LayerGroup> groups;  // disjoint, together all layers; a group's layers share its cost evenly
    int context = 384;
    int chunks = 1;
    int tail = KvSpec{}.tail;  // of the probes
    bool floor = true;         // subtracts the noise floor; not needed in exact arithmetic
};
using ProbeCallback = std::function<bool(double fraction)>;  // false stops

// Measures on text. Throws as measure_perplexity(), and Error(kCancelled) when stopped.
LayerCosts probe_layer_costs(const std::shared_ptr<Model>& model, std::string_view text,
                             const ProbeOptions& options, const ProbeCallback& callback = {});

// A precision, with its size and expected divergence.
struct Choice {
    KvSpec spec;
    double bits_per_element = 16;  // of sealed pages, mean of all elements
    double expected_kld = 0;
};

// Throws Error(kInvalidArgument) for fewer bits per element than the smallest cache of the model takes.
void check_budget(const Model& model, double max_bits);

// The cheapest widths layer by layer: the fewest bits whose expected divergence is at most max_kld, or the
// least divergence with at most that many bits per element (of sealed pages, everything counted, mean of keys
// and values over the layers). Groups of equal layers share their widths. Functions with max_bits throw like
// check_budget().
Choice fewest_bits(const Model& model, const LayerCosts& costs, std::span<const LayerGroup> groups,
                   double max_kld);
Choice least_divergence(const Model& model, const LayerCosts& costs, std::span<const LayerGroup> groups,
                        double max_bits);
// The same with one pair of widths for all layers.
Choice uniform_fewest_bits(const Model& model, const LayerCosts& costs, double max_kld);
Choice uniform_least_divergence(const Model& model, const LayerCosts& costs, double max_bits);

}  // namespace kvsplit::lab
