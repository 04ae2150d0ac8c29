// The forward pass: one function for every architecture.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "model/description.h"
#include "model/weights.h"

namespace kvsplit {

// Working memory for batches of up to max_tokens.
class Workspace {
  public:
    Workspace(Backend& backend, const ModelDescription& description, int max_tokens);
    int max_tokens() const { return max_tokens_; }

    std::unique_ptr<Buffer> x, h, qkv, attention, up, gated;   // (max_tokens, ...)
    std::unique_ptr<Buffer> gated_qkv, gates;                  // with a gate, by its source
    std::unique_ptr<Buffer> q_latent, q, kv_latent, heads;     // with latent attention
    std::unique_ptr<Buffer> router, mixed, shared_gate;        // with a mixture of experts
    std::unique_ptr<Buffer> expert_latent;                     // likewise, or null
    std::unique_ptr<RecurrentWorkspace> recurrent;             // with recurrent layers
    std::unique_ptr<PerLayerWorkspace> per_layer;              // with per-layer embeddings
    std::unique_ptr<Buffer> cos, sin, window_cos, window_sin;  // (max_tokens, rotating pairs)
    std::unique_ptr<Buffer> query_scales;                      // (max_tokens) or null

  private:
    int max_tokens_;
};

// Runs the batch's tokens, appends them to their caches, and writes the states after the last norm.
//   tokens: one per row, inside the vocabulary; runs: the rows of each sequence; together they cover all rows
//   hidden: (tokens.size(), n_embd) in the backend's memory
void forward(Backend& backend, const ModelDescription& description, const Weights& weights,
             Workspace& workspace, std::span<const Token> tokens, std::span<const SequenceRun> runs,
             float* hidden);

// The largest magnitudes, per KV head (n_kv_heads), of the keys and values that a layer computes from n
// random states. The layer keeps keys and values; n is at most the workspace's tokens.
struct KvMagnitudes {
    std::vector<float> key, value;
};
KvMagnitudes probe_keys_and_values(Backend& backend, const ModelDescription& description,
                                   const Weights& weights, Workspace& workspace, int layer, int n);

// logits (n, n_vocab) of states (n, n_embd) after the last norm.
void project(Backend& backend, const ModelDescription& description, const Weights& weights,
             const float* hidden, int n, float* logits);

}  // namespace kvsplit
