// Perplexity of a model on a text through several caches at once, and how far each is from the 16-bit one.
//
// The convention is llama-perplexity's, so that figures can be set side by side: the text is tokenised once,
// cut into chunks of `context` tokens, the first token of each chunk is replaced by BOS where the model adds
// one, and the second half of each chunk is scored: positions context/2 to context-2, each predicting the
// next. Chunks are independent. No logits are written to disk: per chunk the hidden states of every cache are
// kept and projected to logits a block of rows at a time.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "kvsplit/kv_spec.h"
#include "kvsplit/model.h"
#include "lab/comparison.h"

namespace kvsplit::lab {

struct PerplexityOptions {
    std::vector<KvSpec> specs;  // at least one; compared with f16 as soon as that is among them
    int context = 2048;         // tokens per chunk
    int chunks = 0;             // the first so many; 0: all whole chunks of the text
    int batch = 512;            // tokens evaluated at a time
};

struct PerplexityResult {
    KvSpec spec;
    Mean nll;         // nats per token
    Mean perplexity;  // with the standard error over the text
    std::optional<Divergence> vs_f16;
    KvStats kv;  // of a cache that holds one chunk
};

struct PerplexityReport {
    int chunks = 0;
    std::size_t tokens_scored = 0;          // per cache
    std::vector<PerplexityResult> results;  // in the order of the options' specs
};

// How far a run is: `report` holds the figures of the chunks done so far.
struct PerplexityProgress {
    int chunks_done = 0;
    int chunks_total = 0;
    double fraction = 0;  // of all the work, moves within a chunk too
    const PerplexityReport& report;
};
// Return false to stop: the report so far is then the result.
using PerplexityCallback = std::function<bool(const PerplexityProgress&)>;

// Throws Error(kInvalidArgument) when the text is shorter than one chunk, a figure is out of range, or a spec
// comes twice.
PerplexityReport measure_perplexity(const std::shared_ptr<Model>& model, std::string_view text,
                                    const PerplexityOptions& options,
                                    const PerplexityCallback& callback = {});

// What the measurement needs of a model: separate, so that the arithmetic can be tested without one.
struct Evaluator {
    int n_embd = 0;
    int n_vocab = 0;
    // Runs a fresh chunk (context) through the cache of variant i and writes the states of the positions from
    // first on: hidden (context - first, n_embd). step(n) is called after n tokens; false stops: returns
    // false.
    std::function<bool(std::size_t variant, std::span<const Token> chunk, int first, std::span<float> hidden,
                       const std::function<bool(int)>& step)>
        evaluate;
    // logits (n, n_vocab) of states (n, n_embd)
    std::function<void(std::span<const float> hidden, std::span<float> logits)> project;
    std::function<KvStats(std::size_t variant)> kv_stats;  // after the last evaluate() of the variant
};

// chunks: (n, context) tokens, BOS already in place. threads: for the statistics.
PerplexityReport measure_chunks(const Evaluator& evaluator, std::span<const Token> chunks,
                                const PerplexityOptions& options, int threads,
                                const PerplexityCallback& callback = {});

}  // namespace kvsplit::lab
