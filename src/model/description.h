// ModelDescription: an architecture as data, filled from a file's metadata. The forward pass reads nothing
// else.
//
// A new Llama-like architecture is one more entry in description.cc.
#pragma once

#include <vector>

#include "backend/backend.h"
#include "gguf/gguf.h"
#include "model/rope.h"

namespace kvsplit {

struct ModelDescription {
    std::string architecture;
    int n_layers = 0;
    int n_embd = 0;
    int n_heads = 0;
    int n_kv_heads = 0;
    int head_dim = 0;
    int n_ff = 0;
    int n_vocab = 0;
    int context_length = 0;  // what the model reaches, stretched or not

    float norm_eps = 1e-5f;
    bool post_norms =
        false;  // RMS norm of the attention's and the feed-forward's output, before the residual sum
    bool qk_norms = false;  // RMS norm of each query and key head, before RoPE
    Activation activation = Activation::kSilu;
    float embedding_scale = 1.0f;
    float attention_scale = 1.0f;

    RopeKind rope_kind = RopeKind::kPairs;
    int n_rope_pairs = 0;
    Rope rope;         // layers without a window
    Rope window_rope;  // layers with one

    std::vector<int> windows;  // (n_layers) sliding window in tokens, 0: none

    CacheGeometry geometry() const;
    int qkv_width() const { return (n_heads + 2 * n_kv_heads) * head_dim; }
};

// user: changes to the rotary embedding. Throws Error: kUnsupported for an architecture or a feature not
// known here, kFormat for damaged metadata.
ModelDescription describe(const gguf::File& file, const RopeOptions& user = {});

}  // namespace kvsplit
