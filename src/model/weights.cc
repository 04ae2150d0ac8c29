#include "model/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "model/tensor_loader.h"

namespace kvsplit {
namespace {

// A norm of the residual stream; without gains if the architecture has none.
NormWeights load_norm(TensorLoader& load, const ModelDescription& d, const std::string& name) {
    return d.norm_gains ? load.norm(name, d.n_embd) : NormWeights{};
}

void load_head_norms(TensorLoader& load, const ModelDescription& d, const std::string& p, int layer,
                     LayerWeights& l) {
    const LayerHeads& heads = d.heads_of(layer);
    if (d.value_norm && d.keeps_kv(layer)) l.v_norm = load.bare_norm(heads.dim);
    if (d.qk_norm == QkNorm::kNone) return;
    if (d.qk_norm == QkNorm::kBareHead) {
        if (!d.rotary[static_cast<std::size_t>(layer)]) return;
        l.q_norm = load.bare_norm(heads.dim);
        l.k_norm = load.bare_norm(heads.dim);
        return;
    }
    const bool shared = d.qk_norm == QkNorm::kHead;
    l.q_norm = load.norm(p + "attn_q_norm", std::int64_t{shared ? 1 : heads.n} * heads.dim);
    if (d.keeps_kv(layer))
        l.k_norm = load.norm(p + "attn_k_norm", std::int64_t{shared ? 1 : heads.n_kv} * heads.dim);
}

// The matrices of a feed-forward block or an expert before its activation.
std::vector<TensorLoader::Part> up_parts(const ModelDescription& d, const std::string& p,
                                         std::string_view suffix, std::int64_t n_ff) {
    std::vector<TensorLoader::Part> parts;
    if (d.gated) parts.push_back({fmt::format("{}ffn_gate{}", p, suffix), n_ff});
    parts.push_back({fmt::format("{}ffn_up{}", p, suffix), n_ff});
    return parts;
}

// Also the router's norm: scaled so that it yields vectors of length 1 before the gain.
void load_expert_norms(TensorLoader& load, const ModelDescription& d, const std::string& p,
                       ExpertWeights& w) {
    w.router.matrix = load.matrix(d.n_embd, {{p + "ffn_gate_inp", d.routing.n_experts}});
    w.router_norm.gain = load.vector(p + "ffn_gate_inp.scale", d.n_embd);
    const float length = std::sqrt(static_cast<float>(d.n_embd));
    for (float& gain : std::span(w.router_norm.gain->data(), w.router_norm.gain->size())) gain /= length;
    w.norm = load.norm(p + "pre_ffw_norm_2", d.n_embd);
    w.post_norm = load.norm(p + "post_ffw_norm_2", d.n_embd);
    w.shared_post_norm = load.norm(p + "post_ffw_norm_1", d.n_embd);
}

std::unique_ptr<ExpertWeights> load_experts(TensorLoader& load, const ModelDescription& d,
                                            const std::string& p) {
    auto w = std::make_unique<ExpertWeights>();
    const int n = d.routing.n_experts;
    if (d.expert_norms) {
        load_expert_norms(load, d, p, *w);
    } else {
        w->router = load.linear(d.n_embd, {{p + "ffn_gate_inp", n}});
    }
    for (const char* name : {"exp_probs_b.bias", "exp_probs_b"})
        if (load.has(p + name)) w->selection_bias = load.vector(p + name, n);
    using Parts = std::vector<TensorLoader::Part>;
    const int n_embd = d.n_expert_embd > 0 ? d.n_expert_embd : d.n_embd;
    const bool fused = load.has(p + "ffn_gate_up_exps.weight");
    const Parts up = fused ? Parts{{p + "ffn_gate_up_exps", 2 * std::int64_t{d.n_expert_ff}}}
                           : up_parts(d, p, "_exps", d.n_expert_ff);
    w->up = load.experts(n_embd, up, n);
    // A fused tensor of gate and up has one scale for both.
    w->up_scale = load.expert_scale(fused ? Parts{up[0], up[0]} : up, n);
    w->up_bias = load.expert_bias(up, n);
    const Parts down{{p + "ffn_down_exps", n_embd}};
    w->down = load.experts(d.n_expert_ff, down, n);
    w->down_scale = load.expert_scale(down, n);
    w->down_bias = load.expert_bias(down, n);
    if (d.n_shared_ff > 0) {
        w->shared_up = load.linear(d.n_embd, up_parts(d, p, d.shared_suffix, d.n_shared_ff));
        w->shared_down =
            load.linear(d.n_shared_ff, {{fmt::format("{}ffn_down{}", p, d.shared_suffix), d.n_embd}});
    }
    if (d.n_expert_embd > 0) {
        w->latent_in = load.linear(d.n_embd, {{p + "ffn_latent_down", n_embd}});
        w->latent_out = load.linear(n_embd, {{p + "ffn_latent_up", d.n_embd}});
    }
    if (d.early_experts) w->norm = load_norm(load, d, p + "ffn_norm_exps");
    if (d.shared_gate) w->shared_gate = load.matrix(d.n_embd, {{p + "ffn_gate_inp_shexp", 1}});
    return w;
}

std::unique_ptr<LatentWeights> load_latent(TensorLoader& load, const ModelDescription& d,
                                           const std::string& p) {
    const LatentAttention& l = d.latent;
    auto w = std::make_unique<LatentWeights>();
    const std::int64_t n_rotary = d.head_dim - l.kv_rank, q_rows = d.n_heads * (l.n_plain + n_rotary);
    if (l.q_rank > 0) {
        w->q_a = load.linear(d.n_embd, {{p + "attn_q_a", l.q_rank}});
        w->q_a_norm = load.norm(p + "attn_q_a_norm", l.q_rank);
        w->q = load.linear(l.q_rank, {{p + "attn_q_b", q_rows}});
    } else {
        w->q = load.linear(d.n_embd, {{p + "attn_q", q_rows}});
    }
    w->kv_a = load.linear(d.n_embd, {{p + "attn_kv_a_mqa", d.head_dim}});
    w->kv_a_norm = load.norm(p + "attn_kv_a_norm", l.kv_rank);
    if (load.has(p + "attn_kv_b.weight")) {
        auto parts = load.head_parts(p + "attn_kv_b", l.kv_rank, l.n_plain, l.n_value, d.n_heads);
        w->k_b = std::move(parts.first_transposed);
        w->v_b = std::move(parts.second);
        return w;
    }
    w->k_b = load.experts(l.n_plain, {{p + "attn_k_b", l.kv_rank}}, d.n_heads);
    w->v_b = load.experts(l.kv_rank, {{p + "attn_v_b", l.n_value}}, d.n_heads);
    return w;
}

// Gains after which an RMS norm yields keys of length 1 and queries of length 1 / sqrt(channels): the norm
// alone yields sqrt(channels).
std::unique_ptr<Buffer> unit_gain(Backend& backend, const RecurrentBlock& r) {
    const auto half = static_cast<std::size_t>(r.n_groups) * static_cast<std::size_t>(r.n_state);
    auto gain = backend.allocate(2 * half);
    const auto n = static_cast<float>(r.n_state);
    std::fill_n(gain->data(), half, 1.0f / n);
    std::fill_n(gain->data() + half, half, 1.0f / std::sqrt(n));
    return gain;
}

std::unique_ptr<RecurrentWeights> load_recurrent(TensorLoader& load, const ModelDescription& d,
                                                 Backend& backend, const std::string& p) {
    using RecurrentKind = RecurrentBlock::Kind;
    const RecurrentBlock& r = d.recurrence;
    const bool plain = r.kind == RecurrentKind::kShortConvolution,
               delta = r.kind == RecurrentKind::kDeltaRule;
    auto w = std::make_unique<RecurrentWeights>();
    if (delta && load.has(p + "ssm_in.weight")) {
        // Older files of Qwen3-Next have [query | key | values | gates of values] for each key head.
        const std::int64_t values = r.n_inner / r.n_groups;
        w->in = load.sorted(d.n_embd, p + "ssm_in", {r.n_state, r.n_state, values, values}, r.n_groups,
                            {{p + "ssm_ba", 2 * r.n_heads}});
    } else if (delta) {
        std::vector<TensorLoader::Part> parts{{p + "attn_qkv", r.n_convolved()},
                                              {p + "attn_gate", r.n_inner}};
        if (r.steps_by_group) {
            parts.push_back({p + "ssm_ba", 2 * r.n_heads});
        } else {
            parts.insert(parts.end(), {{p + "ssm_beta", r.n_heads}, {p + "ssm_alpha", r.n_heads}});
        }
        w->in = load.linear(d.n_embd, parts);
    } else {
        w->in = load.linear(d.n_embd, {{p + (plain ? "shortconv.in_proj" : "ssm_in"), r.n_projected()}});
    }
    w->out = load.linear(r.n_inner, {{p + (plain ? "shortconv.out_proj" : "ssm_out"), d.n_embd}});
    const std::string conv = p + (plain ? "shortconv.conv" : "ssm_conv1d");
    w->convolution = load.transposed(conv + ".weight", r.n_convolved(), r.n_taps);
    if (load.has(conv + ".bias")) w->convolution_bias = load.vector(conv + ".bias", r.n_convolved());
    if (plain) return w;
    if (r.kind == RecurrentKind::kMamba) {
        w->a = load.transposed(p + "ssm_a", r.n_inner, r.n_state);
        w->d = load.vector(p + "ssm_d", r.n_inner);
        w->step_bc = load.matrix(r.n_inner, {{p + "ssm_x", r.n_step + 2 * r.n_state}});
        w->step = load.matrix(r.n_step, {{p + "ssm_dt", r.n_inner}});
        w->step_bias = load.vector(p + "ssm_dt.bias", r.n_inner);
        if (r.norm) {
            w->step_norm = load.norm(p + "ssm_dt_norm", r.n_step);
            w->b_norm = load.norm(p + "ssm_b_norm", r.n_state);
            w->c_norm = load.norm(p + "ssm_c_norm", r.n_state);
        }
        return w;
    }
    w->a = load.vector(p + "ssm_a", r.n_heads);
    w->step_bias = load.vector(p + "ssm_dt.bias", r.n_heads);
    if (delta) {
        w->norm = load.norm(p + "ssm_norm", r.n_inner / r.n_heads);
        w->unit_gain = unit_gain(backend, r);
        return w;
    }
    w->d = load.repeated(p + "ssm_d", r.n_heads, r.n_inner / r.n_heads);
    if (r.norm) w->norm = load.norm(p + "ssm_norm", r.n_inner);
    return w;
}

// Queries, and if the layer has its own, keys and values.
std::vector<TensorLoader::Part> qkv_parts(const TensorLoader& load, const ModelDescription& d,
                                          const std::string& p, int layer) {
    const LayerHeads& heads = d.heads_of(layer);
    const std::int64_t q_rows = std::int64_t{heads.n} * heads.dim,
                       kv_rows = std::int64_t{heads.n_kv} * heads.dim;
    std::vector<TensorLoader::Part> parts{
        {p + "attn_q", d.gate.source == AttentionGate::Source::kQuery ? 2 * q_rows : q_rows}};
    if (!d.keeps_kv(layer)) return parts;
    const bool keys_alone = d.keys_as_values && !load.has(p + "attn_v.weight");
    parts.push_back({p + "attn_k", kv_rows});
    parts.push_back({p + (keys_alone ? "attn_k" : "attn_v"), kv_rows});
    return parts;
}

void load_attention(TensorLoader& load, const ModelDescription& d, const std::string& p, int layer,
                    LayerWeights& l) {
    using Source = AttentionGate::Source;
    load_head_norms(load, d, p, layer, l);
    if (d.latent.kv_rank > 0) {
        l.latent = load_latent(load, d, p);
    } else {
        l.qkv = load.linear(d.n_embd, p + "attn_qkv", qkv_parts(load, d, p, layer));
    }
    if (d.gate.source == Source::kInput)
        l.gate = load.linear(d.n_embd, {{p + "attn_gate", d.gate_width(layer)}});
    if (d.sink_logits) l.sink_logits = load.vector(p + "attn_sinks.weight", d.heads_of(layer).n);
    if (d.sub_norms) l.attention_sub_norm = load.norm(p + "attn_sub_norm", d.attention_width(layer));
    l.output = load.linear(d.attention_width(layer), {{p + "attn_output", d.n_embd}});
}

void load_feed_forward(TensorLoader& load, const ModelDescription& d, const std::string& p, std::int64_t n_ff,
                       LayerWeights& l) {
    const bool fused = d.gated && !load.has(p + "ffn_gate.weight");
    l.up = load.linear(d.n_embd, fused ? std::vector<TensorLoader::Part>{{p + "ffn_up", 2 * n_ff}}
                                       : up_parts(d, p, "", n_ff));
    if (d.sub_norms) l.feed_forward_sub_norm = load.norm(p + "ffn_sub_norm", n_ff);
    l.down = load.linear(n_ff, {{p + "ffn_down", d.n_embd}});
}

LayerWeights load_layer(TensorLoader& load, const ModelDescription& d, Backend& backend, int layer) {
    const std::string p = fmt::format("blk.{}.", layer);
    const LayerBlocks& blocks = d.blocks[static_cast<std::size_t>(layer)];
    LayerWeights l;
    if (d.pre_norms) {
        if (blocks.attention || blocks.recurrence)
            l.attention_norm = load_norm(load, d, p + std::string(d.attention_norm_tensor));
        if (blocks.feed_forward && !d.shared_norm)
            l.feed_forward_norm = load_norm(load, d, p + std::string(d.feed_forward_norm_tensor));
    }
    if (d.post_norms) {
        l.post_attention_norm = load_norm(load, d, p + std::string(d.post_attention_norm_tensor));
        l.post_feed_forward_norm = load_norm(load, d, p + std::string(d.post_feed_forward_norm_tensor));
    }
    if (blocks.attention) load_attention(load, d, p, layer, l);
    if (blocks.recurrence) l.recurrent = load_recurrent(load, d, backend, p);
    if (d.n_embd_per_layer > 0) {
        l.input.gate = load.linear(d.n_embd, {{p + "inp_gate", d.n_embd_per_layer}});
        l.input.projection = load.linear(d.n_embd_per_layer, {{p + "proj", d.n_embd}});
        l.input.norm = load.norm(p + "post_norm", d.n_embd);
    }
    if (load.has(p + "layer_output_scale.weight"))
        l.output_scale = load.number(p + "layer_output_scale.weight");
    if (!blocks.feed_forward) return l;
    if (d.has_experts(layer)) l.experts = load_experts(load, d, p);
    if (!l.experts || d.early_experts) load_feed_forward(load, d, p, d.ff(layer), l);
    return l;
}

}  // namespace

Weights load_weights(const gguf::File& file, const ModelDescription& d, Backend& backend) {
    TensorLoader load(file, backend);
    Weights w;
    w.embedding = load.matrix(d.n_embd, {{"token_embd", d.n_vocab}});
    if (d.n_positions > 0) w.positions = load.matrix(d.n_embd, {{"position_embd", d.n_positions}});
    if (d.n_embd_per_layer > 0) {
        const std::int64_t width = std::int64_t{d.n_layers} * d.n_embd_per_layer;
        w.per_layer = {load.table("per_layer_token_embd", d.n_vocab, width),
                       load.linear(d.n_embd, {{"per_layer_model_proj", width}}),
                       load.norm("per_layer_proj_norm", d.n_embd_per_layer)};
    }
    if (d.embedding_norm && d.embedding_norm_gains) w.embedding_norm = load_norm(load, d, "token_embd_norm");
    if (load.has("output.weight")) w.separate_output = load.linear(d.n_embd, {{"output", d.n_vocab}});
    w.output_norm = load_norm(load, d, std::string(d.output_norm_tensor));
    for (int i = 0; i < d.n_layers; ++i) w.layers.push_back(load_layer(load, d, backend, i));
    if (!d.alibi_slopes.empty()) {
        w.alibi_slopes = backend.allocate(d.alibi_slopes.size());
        std::copy(d.alibi_slopes.begin(), d.alibi_slopes.end(), w.alibi_slopes->data());
    }
    load.require_all_used(d.n_layers);
    return w;
}

}  // namespace kvsplit
