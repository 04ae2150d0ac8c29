// ModelDescription: an architecture as data, filled from a file's metadata. Loading weights and the forward
// pass read nothing else.
//
// A new architecture is a new entry in one of the files in architectures/.
#pragma once

#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "gguf/gguf.h"
#include "model/recurrent_layers.h"
#include "model/rope.h"

namespace kvsplit {

// How queries and keys are normalised before rotation. Uses the model's NormKind.
enum class QkNorm {
    kNone,
    kHead,      // each head; all heads share the gains
    kBareHead,  // each head, without gains, in layers that rotate
    kEachHead,  // each head, with its own gains
    kRow,       // all heads together as one vector
};

// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434). The cache keeps one latent vector and a few
// rotated channels per token, shared by all heads. Queries are projected into the latent space, so the latent
// serves as both key and value: there is one key-value head, whose key is [rotated | latent] and whose value
// is the latent.
struct LatentAttention {
    int kv_rank = 0;  // channels of the latent; 0: ordinary attention
    int q_rank = 0;   // channels of the query latent; 0: queries are projected from the input
    int n_plain = 0;  // unrotated channels of a query head, before projection into the latent space
    int n_value = 0;  // channels of a head's output
};

// The heads of one layer's attention.
struct LayerHeads {
    int n = 0;     // of queries
    int n_kv = 0;  // of keys and values
    int dim = 0;   // channels of a key
};

// Multiplies the heads' outputs by activation(gate), with one gate per channel or per head.
struct AttentionGate {
    enum class Source {
        kNone,   // no gate
        kQuery,  // attn_q yields [query | gate] for each head
        kInput,  // attn_gate
    };
    Source source = Source::kNone;
    Activation activation = Activation::kSigmoid;
    bool whole_heads = false;  // one gate per head; only with kInput
};

// Queries at position p are multiplied by 1 + scale * log(1 + floor((p + offset) / period)), which keeps
// attention sharp over long contexts.
struct QueryTemperature {
    float scale = 0;  // 0: off
    int period = 1;   // tokens
    int offset = 0;
    bool unrotated_only = false;  // only in layers that do not rotate
};

// The blocks of a layer. If it has both attention and a recurrence, they read the same input.
struct LayerBlocks {
    bool attention = true;
    bool recurrence = false;
    bool feed_forward = true;
    bool dense = false;  // an ordinary feed-forward block in a model with experts
};

struct ModelDescription {
    std::string architecture;
    int n_layers = 0;
    int n_embd = 0;
    // The most frequent or largest figure where layers differ; `heads` has each layer's own.
    int n_heads = 0;  // query heads
    int n_kv_heads = 0;
    int head_dim = 0;
    std::vector<LayerHeads> heads;  // (n_layers)
    // (n_layers) The layer whose keys and values each layer reads: itself or an earlier one; empty: each its
    // own.
    std::vector<int> kv_layers;
    int n_ff = 0;
    std::vector<int> layer_ff;  // (n_layers) replaces n_ff where layers differ; else empty
    int n_vocab = 0;
    int context_length = 0;  // tokens, after any stretching

    // A block is x + f(norm(x)), with post-norms x + norm(f(norm(x))), without pre-norms x + norm(f(x)).
    NormKind norm = NormKind::kRms;
    float norm_eps = 1e-5f;
    bool norm_gains = true;  // false: norms have no learned gains
    bool pre_norms = true;
    bool post_norms = false;
    float post_norm_eps = 0;  // 0: same as norm_eps
    bool sub_norms = false;   // inside blocks, before their last product
    bool embedding_norm = false;
    bool embedding_norm_gains = true;
    std::string_view attention_norm_tensor = "attn_norm";  // names of the pre-norms
    std::string_view feed_forward_norm_tensor = "ffn_norm";
    std::string_view post_attention_norm_tensor = "post_attention_norm";
    std::string_view post_feed_forward_norm_tensor = "post_ffw_norm";
    std::string_view output_norm_tensor = "output_norm";
    bool parallel = false;  // the feed-forward block reads the input of the attention block, not its output
    bool shared_norm = false;  // both read through the same norm; only with parallel

    Activation activation = Activation::kSilu;
    bool gated = true;         // activation(gate) * up, else activation(up)
    std::vector<Xielu> xielu;  // (n_layers) replaces the activation of ungated blocks; else empty

    // With experts, every expert_period-th layer from n_dense_layers on has a mixture instead of one block.
    Routing routing;
    int n_dense_layers = 0;
    int expert_period = 1;
    bool early_router = false;  // the router reads the attention block's input, before its norm
    // Experts read the attention block's input through their own norm, and run beside an ordinary block.
    bool early_experts = false;
    // The router, the experts and the shared expert each read the residual stream through their own norm, and
    // the outputs of both kinds of experts are normalised before they are added.
    bool expert_norms = false;
    float router_soft_cap = 0;  // soft cap of the router's logits; 0: none
    int n_expert_ff = 0;        // width of each expert
    int n_expert_embd = 0;  // channels of the latent that experts read and write; 0: they use n_embd channels
    int n_shared_ff = 0;    // width of the shared expert, which runs for every token; 0: none
    bool shared_gate = false;                   // the shared expert has a gate
    std::string_view shared_suffix = "_shexp";  // of the shared expert's tensor names
    float mixture_scale = 1.0f;                 // factor of the sum of shared and chosen experts

    int n_embd_per_layer = 0;  // width of a token's additional embeddings, one per layer; 0: none
    float embedding_scale = 1.0f;
    float attention_scale = 1.0f;
    float residual_scale = 1.0f;  // factor of what a block adds
    float logit_scale = 1.0f;
    float attention_soft_cap = 0;  // logits become cap * tanh(logit / cap); 0: none
    float logit_soft_cap = 0;      // the same for the logits of the vocabulary
    float clamp_qkv = 0;           // queries, keys and values are clamped to +- this; 0: off

    AttentionGate gate;
    bool sink_logits = false;  // each head has one additional logit, of a key whose value is zero
    LatentAttention latent;
    QkNorm qk_norm = QkNorm::kNone;
    bool value_norm = false;       // values are normalised as well, without gains; only with kHead
    bool keys_as_values = false;   // a layer without attn_v uses attn_k for values
    bool norm_after_rope = false;  // only with kHead
    QueryTemperature temperature;
    RopeKind rope_kind = RopeKind::kPairs;
    int n_rope_pairs = 0;      // in layers without a window; 0: no layer rotates
    std::vector<bool> rotary;  // (n_layers) whether the layer rotates queries and keys
    Rope rope;                 // layers without a window
    Rope window_rope;          // layers with one
    int n_positions = 0;       // learned position vectors, added to the embedding; 0: none
    // (n_heads) what a logit loses per token of distance to its key; empty: nothing
    std::vector<float> alibi_slopes;

    std::vector<LayerBlocks> blocks;  // (n_layers)
    RecurrentBlock recurrence;        // shared by all layers that have one
    std::vector<int> windows;         // (n_layers) sliding window in tokens, 0: none
    // Windows do not slide: a token sees back to the last multiple of the window.
    bool chunked_windows = false;

    const LayerHeads& heads_of(int layer) const { return heads[static_cast<std::size_t>(layer)]; }
    int window(int layer) const { return windows[static_cast<std::size_t>(layer)]; }
    int ff(int layer) const { return layer_ff.empty() ? n_ff : layer_ff[static_cast<std::size_t>(layer)]; }
    codec::KvHead kv_head(int layer) const;
    CacheGeometry geometry() const;
    // Whether the layer computes its own keys and values; and whose keys and values it reads.
    bool keeps_kv(int layer) const;
    int kv_layer(int layer) const {
        return kv_layers.empty() ? layer : kv_layers[static_cast<std::size_t>(layer)];
    }
    // Whether this is the last of the layers that read the same keys and values.
    bool reads_last(int layer) const;
    // Indices into a KvCache: of kv_layer(layer) among the layers that keep keys and values, and of the layer
    // among those with a recurrence.
    int cache_layer(int layer) const;
    int recurrent_layer(int layer) const;
    bool has_experts(int layer) const {
        return routing.n_experts > 0 && layer >= n_dense_layers && (layer + 1) % expert_period == 0 &&
               !blocks[static_cast<std::size_t>(layer)].dense;
    }
    // Channels of a layer: what the output projection reads, [q | k | v], and the gates.
    int attention_width(int layer) const {
        const LayerHeads& h = heads_of(layer);
        return h.n * (latent.kv_rank > 0 ? latent.n_value : h.dim);
    }
    int qkv_width(int layer) const;
    // The largest of one of these widths over all layers.
    int widest(int (ModelDescription::*width)(int layer) const) const;
    int gate_width(int layer) const {
        const LayerHeads& h = heads_of(layer);
        return gate.whole_heads ? h.n : h.n * h.dim;
    }
    // Channels of the attention's result over all heads.
    int attended_width(int layer) const { return heads_of(layer).n * kv_head(layer).value.head_dim; }
};

// user: changes to the rotary embedding. Throws Error: kUnsupported for an unknown architecture or feature,
// kFormat for damaged metadata.
ModelDescription describe(const gguf::File& file, const RopeOptions& user = {});

// The architectures that describe() accepts, as files spell them, sorted.
std::vector<std::string_view> known_architectures();

}  // namespace kvsplit
