// Weights of a model in a backend's own form.
#pragma once

#include <memory>
#include <vector>

#include "model/description.h"

namespace kvsplit {

struct LayerWeights {
    std::unique_ptr<Buffer> attention_norm, feed_forward_norm;            // (n_embd)
    std::unique_ptr<Buffer> post_attention_norm, post_feed_forward_norm;  // (n_embd) or null
    std::unique_ptr<Buffer> q_norm, k_norm;                               // (head_dim) or null
    std::unique_ptr<WeightMatrix> qkv;                                    // ([q | k | v], n_embd)
    std::unique_ptr<WeightMatrix> output;                                 // (n_embd, n_heads * head_dim)
    std::unique_ptr<WeightMatrix> gate_up;                                // ([gate | up], n_embd)
    std::unique_ptr<WeightMatrix> down;                                   // (n_embd, n_ff)
};

struct Weights {
    std::unique_ptr<WeightMatrix> embedding;        // (n_vocab, n_embd)
    std::unique_ptr<WeightMatrix> separate_output;  // (n_vocab, n_embd), null when tied to the embedding
    std::unique_ptr<Buffer> output_norm;            // (n_embd)
    std::vector<LayerWeights> layers;

    const WeightMatrix& output() const { return separate_output ? *separate_output : *embedding; }
};

// Checks that every tensor is there with the shape that the description asks for. Throws Error naming the
// tensor.
Weights load_weights(const gguf::File& file, const ModelDescription& description, Backend& backend);

}  // namespace kvsplit
