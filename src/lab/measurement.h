// The arithmetic of perplexity.h, without models, so that it can be tested on its own.
//
// Several lanes read the same chunks of tokens side by side: all read one batch, which is then scored, before
// the next. So only one batch of states and one block of logits are in memory, however long the chunks are.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lab/comparison.h"
#include "lab/perplexity.h"

namespace kvsplit::lab {

// One cache of one model.
class Lane {
  public:
    virtual ~Lane() = default;
    virtual std::string name() const = 0;  // for messages

    virtual void restart() = 0;                            // before each chunk
    virtual void read(std::span<const Token> tokens) = 0;  // appends tokens
    // Logits (n, n_vocab) after the tokens first .. first + n - 1 of the last read().
    virtual void logits(int first, std::span<float> out) = 0;
};

struct MeasurementPlan {
    std::vector<Lane*> lanes;
    // Indices of the lanes with which all lanes are compared.
    std::optional<std::size_t> reference, base;
    int n_vocab = 0;
    int context = 0;  // tokens per chunk
    int batch = 512;
    int threads = 1;  // for the statistics
};

// The statistics of one lane.
struct LaneScores {
    RunningMean nll;                   // nats per token
    Comparison vs_reference, vs_base;  // empty without such a lane
};

struct MeasurementState {
    int chunks_done = 0;
    int chunks_total = 0;
    double fraction = 0;  // of all the work
    const std::vector<LaneScores>& lanes;
};

// chunks: (n, context) tokens, with the start token in place. step() is called between batches; false stops.
// Throws Error(kFormat) when a lane's logits are not finite.
std::vector<LaneScores> measure(const MeasurementPlan& plan, std::span<const Token> chunks,
                                const std::function<bool(const MeasurementState&)>& step);

}  // namespace kvsplit::lab
