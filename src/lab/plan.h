// Plan: what fits into memory, before anything is loaded.
//
// Counts everything: the process, the weights as the engine holds them, its working memory, and the cache of
// one sequence. Sizes are bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "kvsplit/kv_spec.h"
#include "kvsplit/model.h"

namespace kvsplit::lab {

struct PlanOptions {
    std::vector<KvSpec> specs;  // at least one
    std::size_t memory = 0;     // for everything
    int context = 0;            // tokens to plan for; 0: as many as fit
    ModelOptions model;
    std::size_t program = 0;  // the process without the model; 0: measured from this process
};

// Layers whose caches grow in the same way.
struct LayerKind {
    int window = 0;  // tokens; 0: full attention
    int layers = 0;
};

struct PlanResult {
    KvSpec spec;
    std::string refusal;      // why the model does not support this precision; then nothing else is set
    int context = 0;          // tokens
    bool capped = false;      // more than kLongestPlan would fit
    std::size_t working = 0;  // of the engine, and the unused rest of the cache's last huge page
    KvStats kv;
    std::vector<std::size_t> kind_bytes;  // of the cache, in the order of the plan's layer kinds
    double bytes_per_token = 0;           // of the cache, over the next page of tokens
    std::size_t total = 0;                // process, weights, working memory and cache
    bool fits = false;                    // within the memory
    // Compared with an f16 cache: how many times more context fits in the same memory or, for a given
    // context, how many times smaller the cache is. nullopt if not even one page of f16 fits.
    std::optional<double> times_f16;
};

struct Plan {
    ModelInfo model;
    std::size_t memory = 0;   // as asked for
    std::size_t program = 0;  // the process with vocabulary and metadata
    std::size_t weights = 0;
    std::vector<LayerKind> kinds;  // full attention first, then by window
    std::vector<PlanResult> results;

    std::size_t resident() const { return program + weights; }
};

inline constexpr int kLongestPlan = 1 << 24;  // tokens

// Reads only the header of the file. Throws Error like Model::load; kInvalidArgument for options out of
// range; kOutOfMemory, with the sum, if the memory cannot hold the model and one page of cache.
Plan make_plan(const std::string& path, const PlanOptions& options);

}  // namespace kvsplit::lab
