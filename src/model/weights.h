// The weights of a model, in the backend's own form.
#pragma once

#include <memory>
#include <vector>

#include "model/description.h"
#include "model/linear.h"
#include "model/per_layer_embedding.h"

namespace kvsplit {

struct ExpertWeights {
    NormWeights norm;                                      // (n_embd) with early_experts or expert_norms
    NormWeights router_norm, post_norm, shared_post_norm;  // (n_embd) with expert_norms
    Linear router;                                         // (n_experts, n_embd)
    std::unique_ptr<Buffer> selection_bias;                // (n_experts) or null
    std::unique_ptr<WeightMatrix> up, down;                // see Mixture
    std::unique_ptr<Buffer> up_scale, down_scale, up_bias, down_bias;  // likewise, or null
    Linear latent_in, latent_out;   // (n_expert_embd, n_embd) and its reverse; without matrices if no latent
    Linear shared_up, shared_down;  // the shared expert; without matrices if none
    std::unique_ptr<WeightMatrix> shared_gate;  // (1, n_embd) or null
};

// Latent attention, see LatentAttention. A query head has [plain | rotated] channels.
struct LatentWeights {
    Linear q_a;                              // (q_rank, n_embd), without a matrix if q_rank is 0
    NormWeights q_a_norm;                    // (q_rank)
    Linear q;                                // (n_heads * head, q_rank or n_embd)
    Linear kv_a;                             // ([latent | rotated], n_embd)
    NormWeights kv_a_norm;                   // (kv_rank)
    std::unique_ptr<WeightMatrix> k_b, v_b;  // per head (kv_rank, n_plain) and (n_value, kv_rank)
};

// Factors of a layer's keys and values in the cache, see AttentionParams. Empty: all 1.
struct KvScales {
    std::vector<float> key, value;  // (n_kv_heads)
};

struct LayerWeights {
    NormWeights attention_norm, feed_forward_norm;            // (n_embd)
    NormWeights post_attention_norm, post_feed_forward_norm;  // (n_embd)
    NormWeights attention_sub_norm, feed_forward_sub_norm;    // (attention_width), (n_ff)
    NormWeights q_norm, k_norm;  // kHead: (head_dim), else (heads * head_dim), (n_kv_heads * head_dim)
    NormWeights v_norm;          // (head_dim), all 1, with value_norm
    std::unique_ptr<RecurrentWeights> recurrent;  // or null
    // Without matrices where the layer has no attention, or no feed-forward block:
    std::unique_ptr<LatentWeights> latent;  // instead of qkv, or null
    Linear qkv;  // ([q | k | v], n_embd); q alone if the layer keeps no keys and values
    std::unique_ptr<Buffer> sink_logits;     // (n_heads) or null
    Linear gate;                             // (gate_width, n_embd) if gates have their own tensor
    Linear output;                           // (n_embd, attention_width)
    Linear up;                               // ([gate | up] or up, n_embd)
    Linear down;                             // (n_embd, n_ff)
    std::unique_ptr<ExpertWeights> experts;  // instead of up and down or beside them, or null
    LayerInput input;                        // with per-layer embeddings
    float output_scale = 1.0f;               // of the residual stream, as the layer leaves it
    KvScales kv_scales;                      // of layers that keep keys and values
};

struct Weights {
    std::unique_ptr<WeightMatrix> embedding;  // (n_vocab, n_embd)
    std::unique_ptr<WeightMatrix> positions;  // (n_positions, n_embd) or null
    PerLayerEmbedding per_layer;              // or without a table
    NormWeights embedding_norm, output_norm;  // (n_embd)
    Linear separate_output;                // (n_vocab, n_embd), without a matrix when tied to the embedding
    std::unique_ptr<Buffer> alibi_slopes;  // (n_heads) or null
    std::vector<LayerWeights> layers;

    const WeightMatrix& output() const {
        return separate_output.matrix ? *separate_output.matrix : *embedding;
    }
};

// Checks that every tensor exists with the shape that the description asks for, that its numbers are finite,
// and that the file has no other tensors. Throws Error naming the tensor.
Weights load_weights(const gguf::File& file, const ModelDescription& description, Backend& backend);

}  // namespace kvsplit
