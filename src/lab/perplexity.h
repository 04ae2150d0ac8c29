// Perplexity of a model on a text with several caches at once, and the divergence of each from the 16-bit
// one.
//
// The convention is llama-perplexity's, so that figures are comparable: the text is tokenised once, cut into
// chunks of `context` tokens, the first token of each chunk is replaced by BOS if the model adds one, and the
// second half of each chunk is scored: positions context/2 to context-2, each predicting the next. Chunks are
// independent. No logits are written to disk: all caches read the text side by side, a batch at a time, so
// apart from the caches the memory needed does not depend on the context.
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
    std::vector<KvSpec> specs;  // at least one; if f16 is among them, all are compared with it
    int context = 2048;         // tokens per chunk, at most what the model was made for
    int chunks = 0;             // how many, from the beginning; 0: all whole chunks of the text
    int batch = 512;            // tokens evaluated at a time

    // If f16 is among the specs, also measures the noise floor: how a harmless change, f32 keys and values,
    // moves the figures through the rounding of activations.
    bool floor = false;
    // Another model with the same vocabulary, or the same model in another arithmetic. Every cache is also
    // compared with its f16 cache. May be null.
    std::shared_ptr<Model> base;
};

struct PerplexityResult {
    KvSpec spec;
    Mean nll;         // nats per token
    Mean perplexity;  // with the standard error over the text
    std::optional<Divergence> vs_f16;
    KvStats kv;                             // of a cache that holds one chunk
    std::optional<Divergence> vs_base;      // with a base; for f16: the effect of the weights alone
    std::optional<BelowFloor> below_floor;  // of vs_f16, if a floor was measured
};

struct PerplexityReport {
    int chunks = 0;
    std::size_t tokens_scored = 0;          // per cache
    std::vector<PerplexityResult> results;  // in the order of the options' specs
    std::optional<PerplexityResult> floor;  // the f32 cache
    std::optional<PerplexityResult> base;   // the base's f16 cache; vs_f16 is empty
};

// The progress of a run: `report` has the figures of the tokens scored so far.
struct PerplexityProgress {
    int chunks_done = 0;
    int chunks_total = 0;
    double fraction = 0;  // of all the work; also grows within a chunk
    const PerplexityReport& report;
};
// Return false to stop: the report so far is then the result.
using PerplexityCallback = std::function<bool(const PerplexityProgress&)>;

// Throws Error(kInvalidArgument) if the text is shorter than one chunk, an option is out of range, a spec
// occurs twice, or the base has another vocabulary; Error(kFormat) if logits are not finite.
PerplexityReport measure_perplexity(const std::shared_ptr<Model>& model, std::string_view text,
                                    const PerplexityOptions& options,
                                    const PerplexityCallback& callback = {});

// Bytes of all caches of a measurement together, at the end of a chunk.
std::size_t measurement_cache_bytes(const Model& model, const PerplexityOptions& options);

}  // namespace kvsplit::lab
