// Perplexity of a model on a text through several caches at once, and how far each is from the 16-bit one.
//
// The convention is llama-perplexity's, so that figures can be set side by side: the text is tokenised once,
// cut into chunks of `context` tokens, the first token of each chunk is replaced by BOS where the model adds
// one, and the second half of each chunk is scored: positions context/2 to context-2, each predicting the
// next. Chunks are independent. No logits are written to disk: all caches read the text side by side, a batch
// at a time, and beside the caches the memory needed does not depend on the context.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "kvsplit/kv_spec.h"
#include "kvsplit/model.h"
#include "lab/comparison.h"

namespace kvsplit::lab {

struct PerplexityOptions {
    std::vector<KvSpec> specs;  // at least one; compared with f16 as soon as that is among them
    int context = 2048;         // tokens per chunk, at most what the model was made for
    int chunks = 0;             // how many, from the beginning; 0: all whole chunks of the text
    int batch = 512;            // tokens evaluated at a time

    // Measures the noise floor where f16 is among the specs: what a change that is harmless, f32 keys and
    // values, makes of the figures through the rounding of activations.
    bool floor = false;
    // Another model with the same vocabulary, or the same one in another arithmetic: read with its f16 cache,
    // and every cache compared with that as well. May be null.
    std::shared_ptr<Model> base;
};

struct PerplexityResult {
    KvSpec spec;
    Mean nll;         // nats per token
    Mean perplexity;  // with the standard error over the text
    std::optional<Divergence> vs_f16;
    KvStats kv;                             // of a cache that holds one chunk
    std::optional<Divergence> vs_base;      // where there is a base: of f16, what the weights alone do
    std::optional<BelowFloor> below_floor;  // of vs_f16, where a floor was measured
};

struct PerplexityReport {
    int chunks = 0;
    std::size_t tokens_scored = 0;          // per cache
    std::vector<PerplexityResult> results;  // in the order of the options' specs
    std::optional<PerplexityResult> floor;  // the f32 cache
    std::optional<PerplexityResult> base;   // the base's f16 cache; vs_f16 is empty
};

// How far a run is: `report` holds the figures of the tokens scored so far.
struct PerplexityProgress {
    int chunks_done = 0;
    int chunks_total = 0;
    double fraction = 0;  // of all the work, moves within a chunk too
    const PerplexityReport& report;
};
// Return false to stop: the report so far is then the result.
using PerplexityCallback = std::function<bool(const PerplexityProgress&)>;

// Throws Error(kInvalidArgument) when the text is shorter than one chunk, a figure is out of range, a spec
// comes twice, or the base has another vocabulary; Error(kFormat) when logits are not finite.
PerplexityReport measure_perplexity(const std::shared_ptr<Model>& model, std::string_view text,
                                    const PerplexityOptions& options,
                                    const PerplexityCallback& callback = {});

// Bytes of all the caches that a measurement holds at once, at the end of a chunk.
std::size_t measurement_cache_bytes(const Model& model, const PerplexityOptions& options);

}  // namespace kvsplit::lab
