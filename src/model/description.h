// ModelDescription: an architecture as data, filled from a file's metadata. Loading weights and the forward
// pass read nothing else.
//
// A new architecture is one more entry in a file of architectures/.
#pragma once

#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "gguf/gguf.h"
#include "model/recurrent_layers.h"
#include "model/rope.h"

namespace kvsplit {

// What is normalised of queries and keys before they are rotated, by the model's kind of norm.
enum class QkNorm {
    kNone,
    kHead,      // each head, with one gain for all
    kBareHead,  // each head, without gains, where it is rotated
    kEachHead,  // each head, with gains of its own
    kRow,       // all heads together as one vector
};

// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434). A token leaves one latent vector and a few
// rotated channels, which all heads share. Queries are brought into the latent space, so that its vector is
// key and value at once: a model of one key-value head, whose key is [rotated | latent] and whose value is
// the latent.
struct LatentAttention {
    int kv_rank = 0;  // channels of the latent; 0: ordinary attention
    int q_rank = 0;   // of the latent that queries are made of; 0: they are made of the input
    int n_plain =
        0;  // channels of a query head that do not rotate, before they are brought into the latent space
    int n_value = 0;  // channels of a head's output
};

// The heads of one layer's attention.
struct LayerHeads {
    int n = 0;     // of queries
    int n_kv = 0;  // of keys and values
    int dim = 0;   // channels of a key
};

// What heads' outputs are multiplied with: f of a gate for each of their channels, or of one for all channels
// of a head.
struct AttentionGate {
    enum class Source {
        kNone,   // there is no gate
        kQuery,  // made with the query: attn_q has [query | gate] for each head
        kInput,  // attn_gate
    };
    Source source = Source::kNone;
    Activation activation = Activation::kSigmoid;
    bool whole_heads = false;  // one for all channels of a head; only with kInput
};

// Queries at position p are multiplied by 1 + scale * log(1 + floor((p + offset) / period)), which keeps
// attention sharp where there are many keys.
struct QueryTemperature {
    float scale = 0;  // 0: they are not
    int period = 1;   // tokens
    int offset = 0;
    bool unrotated_only = false;  // in layers that do not rotate
};

// What a layer consists of. Attention and recurrence, where it has both, read the same input.
struct LayerBlocks {
    bool attention = true;
    bool recurrence = false;
    bool feed_forward = true;
    bool dense = false;  // an ordinary feed-forward block, where other layers have a mixture of experts
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
    // (n_layers) Whose keys and values a layer reads, its own or an earlier layer's; empty: each its own.
    std::vector<int> kv_layers;
    int n_ff = 0;
    std::vector<int> layer_ff;  // (n_layers) replaces n_ff where layers differ; else empty
    int n_vocab = 0;
    int context_length = 0;  // tokens, after any stretching

    // A block is x + f(norm(x)), with post-norms x + norm(f(norm(x))), without pre-norms x + norm(f(x)).
    NormKind norm = NormKind::kRms;
    float norm_eps = 1e-5f;
    bool norm_gains = true;  // false: norms have no numbers of their own
    bool pre_norms = true;
    bool post_norms = false;
    float post_norm_eps = 0;  // 0: norm_eps
    bool sub_norms = false;   // inside blocks, before their last product
    bool embedding_norm = false;
    bool embedding_norm_gains = true;
    std::string_view attention_norm_tensor = "attn_norm";  // names of the pre-norms
    std::string_view feed_forward_norm_tensor = "ffn_norm";
    std::string_view post_attention_norm_tensor = "post_attention_norm";
    std::string_view post_feed_forward_norm_tensor = "post_ffw_norm";
    std::string_view output_norm_tensor = "output_norm";
    bool parallel = false;     // the feed-forward block reads what the attention block read, not its sum
    bool shared_norm = false;  // and through the same norm; only with parallel

    Activation activation = Activation::kSilu;
    bool gated = true;         // activation(gate) * up, else activation(up)
    std::vector<Xielu> xielu;  // (n_layers) in place of the activation, where it is not gated; or none

    // Each expert_period-th layer from n_dense_layers on has a mixture of experts instead, if there are any.
    Routing routing;
    int n_dense_layers = 0;
    int expert_period = 1;
    bool early_router = false;  // which reads what the layer's attention block reads, before its norm
    // Experts read what the layer's attention block reads, through a norm of their own, and stand beside an
    // ordinary block.
    bool early_experts = false;
    // Router, experts and the expert of all tokens read the residual stream through a norm each, and what
    // both kinds of experts make is normalised before it is summed up.
    bool expert_norms = false;
    float router_soft_cap = 0;  // of the router's logits, as the soft caps below; 0: none
    int n_expert_ff = 0;        // width of each expert
    int n_expert_embd = 0;      // channels of the latent that experts read and write; 0: n_embd, without one
    int n_shared_ff = 0;        // width of one more expert that all tokens take; 0: none
    bool shared_gate = false;   // which is weighted by a gate of its own
    std::string_view shared_suffix = "_shexp";  // of its tensors' names
    float mixture_scale = 1.0f;                 // of the sum of it and the others

    int n_embd_per_layer = 0;  // width of a token's additional embeddings, one per layer; 0: none
    float embedding_scale = 1.0f;
    float attention_scale = 1.0f;
    float residual_scale = 1.0f;  // of what a block adds
    float logit_scale = 1.0f;
    float attention_soft_cap = 0;  // logits become cap * tanh(logit / cap); 0: none
    float logit_soft_cap = 0;      // likewise, of the vocabulary's
    float clamp_qkv = 0;           // queries, keys and values are cut off at +- this; 0: none

    AttentionGate gate;
    bool sink_logits = false;  // one more logit for each head, that of a key whose value is zero
    LatentAttention latent;
    QkNorm qk_norm = QkNorm::kNone;
    bool value_norm = false;       // values are normalised as well, without gains; only with kHead
    bool keys_as_values = false;   // a layer without attn_v makes values with attn_k
    bool norm_after_rope = false;  // only with kHead
    QueryTemperature temperature;
    RopeKind rope_kind = RopeKind::kPairs;
    int n_rope_pairs = 0;      // in layers without a window; 0: no layer rotates
    std::vector<bool> rotary;  // (n_layers) whether the layer rotates queries and keys
    Rope rope;                 // layers without a window
    Rope window_rope;          // layers with one
    int n_positions = 0;       // learned ones: a vector each, added to the embedding; 0: none
    // (n_heads) what a logit loses for each token that its key is further back; empty: nothing
    std::vector<float> alibi_slopes;

    std::vector<LayerBlocks> blocks;  // (n_layers)
    RecurrentBlock recurrence;        // of the layers that have one
    std::vector<int> windows;         // (n_layers) sliding window in tokens, 0: none
    // Windows do not slide: a token sees those from the last multiple of the window on.
    bool chunked_windows = false;

    const LayerHeads& heads_of(int layer) const { return heads[static_cast<std::size_t>(layer)]; }
    int window(int layer) const { return windows[static_cast<std::size_t>(layer)]; }
    int ff(int layer) const { return layer_ff.empty() ? n_ff : layer_ff[static_cast<std::size_t>(layer)]; }
    codec::KvHead kv_head(int layer) const;
    CacheGeometry geometry() const;
    // Whether the layer makes keys and values, and which layer's it reads.
    bool keeps_kv(int layer) const;
    int kv_layer(int layer) const {
        return kv_layers.empty() ? layer : kv_layers[static_cast<std::size_t>(layer)];
    }
    // Layers that read the same keys and values attend one after another: whether this is the last.
    bool reads_last(int layer) const;
    // The number in a KvCache of what a layer reads: the place of its kv_layer() among those that keep keys
    // and values, and its own among those with a recurrence.
    int cache_layer(int layer) const;
    int recurrent_layer(int layer) const;
    bool has_experts(int layer) const {
        return routing.n_experts > 0 && layer >= n_dense_layers && (layer + 1) % expert_period == 0 &&
               !blocks[static_cast<std::size_t>(layer)].dense;
    }
    // Of what a layer's heads hand on to the output's product, of what is made for them, and of their gates.
    int attention_width(int layer) const {
        const LayerHeads& h = heads_of(layer);
        return h.n * (latent.kv_rank > 0 ? latent.n_value : h.dim);
    }
    int qkv_width(int layer) const;
    // The most that any layer has of one of these widths.
    int widest(int (ModelDescription::*width)(int layer) const) const;
    int gate_width(int layer) const {
        const LayerHeads& h = heads_of(layer);
        return gate.whole_heads ? h.n : h.n * h.dim;
    }
    // Of all heads' sums of values.
    int attended_width(int layer) const { return heads_of(layer).n * kv_head(layer).value.head_dim; }
};

// user: changes to the rotary embedding. Throws Error: kUnsupported for an architecture or a feature not
// known here, kFormat for damaged metadata.
ModelDescription describe(const gguf::File& file, const RopeOptions& user = {});

// The names that describe() takes, as files spell them, sorted.
std::vector<std::string_view> known_architectures();

}  // namespace kvsplit
