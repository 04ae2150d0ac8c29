// Models whose feed-forward blocks are mixtures of experts.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/architectures/architecture.h"

namespace kvsplit {
namespace {

using Gate = Routing::Gate;

void describe_qwen2moe(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    set_experts(in, d, {});
    if (!in.has("expert_feed_forward_length")) d.n_expert_ff = d.n_ff / d.routing.n_used;
    if (d.n_shared_ff == 0) d.n_shared_ff = d.n_ff;
    d.shared_gate = true;
}

void describe_qwen3moe(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.qk_norm = QkNorm::kHead;
    set_experts(in, d, {.normalise = true});
    if (!in.has("expert_feed_forward_length")) d.n_expert_ff = d.n_ff / d.routing.n_used;
}

void describe_olmoe(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.qk_norm = QkNorm::kRow;
    set_experts(in, d, {});
}

void describe_gpt_oss(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.feed_forward_norm_tensor = "post_attention_norm";
    d.activation = Activation::kSwigluClamped;
    d.sink_logits = true;
    set_windows(in, d, in.count_or("attention.sliding_window", 1 << 30, 128), 2);
    set_experts(in, d, {.gate = Gate::kSoftmaxOfChosen});
}

void describe_dots1(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.qk_norm = QkNorm::kHead;
    set_experts(in, d, {.gate = Gate::kSigmoid});
}

void set_expert_period(const ArchitectureKeys& in, ModelDescription& d) {
    d.expert_period = std::max(1, in.size_or("interleave_moe_layer_step", 1024, 1));
}

// Hunyuan 3.
void describe_hy_v3(const ArchitectureKeys& in, ModelDescription& d) {
    describe_dots1(in, d);
    if (d.n_shared_ff == 0) d.n_shared_ff = d.n_expert_ff;
}

void describe_ernie4_5_moe(const ArchitectureKeys& in, ModelDescription& d) {
    set_experts(in, d, {.normalise = true});
    set_expert_period(in, d);
}

// DeepSeek's first mixture, without latent attention.
void describe_deepseek(const ArchitectureKeys& in, ModelDescription& d) { set_experts(in, d, {}); }

void describe_bailingmoe2(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.qk_norm = QkNorm::kHead;
    set_experts(in, d, {.gate = Gate::kSigmoid});
}

// Heads are normalised after rotation. If the file gives no width of experts, it is that of the ordinary
// blocks.
void describe_hunyuan_moe(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.qk_norm = QkNorm::kHead;
    d.norm_after_rope = true;
    set_experts(in, d, {.normalise = true});
    d.n_expert_ff = d.n_ff;
    if (d.n_shared_ff == 0) d.n_shared_ff = d.n_ff;
}

void describe_minimax_m2(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.qk_norm = QkNorm::kRow;
    set_experts(in, d, {.gate = Gate::kSigmoid, .normalise = true});
    d.n_expert_ff = d.n_ff;
}

// EXAONE 4's attention with pre-norms; layers that see the whole context do not rotate.
void describe_exaone_moe(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.qk_norm = QkNorm::kHead;
    set_windows(in, d, in.count_or("attention.sliding_window", 1 << 30, 128), 4);
    rotate_windows_alone(d);
    set_experts(in, d, {.gate = Gate::kSigmoid});
}

void describe_mellum(const ArchitectureKeys& in, ModelDescription& d) {
    describe_qwen3moe(in, d);
    set_windows(in, d, in.size_or("attention.sliding_window", 1 << 30, 0), 4);
}

// If the file has windows, three of four layers, from the second on, have one and rotate.
void describe_smallthinker(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.activation = Activation::kRelu;
    d.early_router = true;
    if (const int window = in.size_or("attention.sliding_window", 1 << 30, 0); window > 0) {
        set_windows(in, d, window, 4, true);
        rotate_windows_alone(d);
    }
    set_experts(in, d, {.normalise = true});
}

// Phi 3.5. The files give the epsilon of an RMS norm, but the norms are LayerNorms.
void describe_phimoe(const ArchitectureKeys& in, ModelDescription& d) {
    d.norm = NormKind::kLayer;
    d.rope_kind = RopeKind::kHalves;
    set_experts(in, d, {.gate = Gate::kSparseMixer});
}

void describe_dbrx(const ArchitectureKeys& in, ModelDescription& d) {
    set_layer_norm(in, d);
    set_clamp(in, d);
    d.feed_forward_norm_tensor = "attn_output_norm";
    d.rope_kind = RopeKind::kHalves;
    set_experts(in, d, {.normalise = true});
}

// Llama 4. Three of four layers have chunked windows and rotate; the fourth sees all tokens, does not rotate,
// and sharpens its queries. Only the models with 128 experts do not normalise heads.
void describe_llama4(const ArchitectureKeys& in, ModelDescription& d) {
    constexpr int kStretch = 8192;
    set_windows(in, d, in.count_or("attention.sliding_window", 1 << 30, kStretch), 4);
    d.chunked_windows = true;
    for (std::size_t i = 0; i < d.rotary.size(); ++i) {
        if (d.windows[i] % codec::kPageTokens != 0)
            in.refuse("attention.sliding_window",
                      fmt::format("windows of other than multiples of {} tokens", codec::kPageTokens));
        d.rotary[i] = d.windows[i] > 0;
    }
    set_temperature(in, d, 0.1, kStretch);
    d.temperature.offset = 1;
    d.temperature.unrotated_only = true;
    set_experts(in, d, {.gate = Gate::kSigmoid, .weigh_input = true});
    set_expert_period(in, d);
    if (d.n_shared_ff == 0) d.n_shared_ff = d.n_expert_ff;
    if (d.routing.n_experts != 128) d.qk_norm = QkNorm::kBareHead;
}

// GLM-4.5 and its successors.
void describe_glm4moe(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.feed_forward_norm_tensor = "post_attention_norm";
    if (first_layer_has(in, "attn_q_norm.weight")) d.qk_norm = QkNorm::kHead;
    set_experts(in, d, {.gate = Gate::kSigmoid});
}

// Arcee's Trinity.
void describe_afmoe(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.embedding_scale = std::sqrt(static_cast<float>(d.n_embd));
    d.post_norms = true;
    d.qk_norm = QkNorm::kHead;
    d.gate.source = AttentionGate::Source::kInput;
    set_windows(in, d, in.size_or("attention.sliding_window", 1 << 30, 0), 4);
    rotate_windows_alone(d);
    set_experts(in, d, {.gate = Gate::kSigmoid, .normalise = true});
}

// Poolside's Laguna. The shape of the gate's tensor tells whether gates are per channel or per head.
void describe_laguna(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.qk_norm = QkNorm::kHead;
    d.gate = {.source = AttentionGate::Source::kInput, .activation = Activation::kSoftplus};
    const gguf::Tensor* gate = in.file().find_tensor("blk.0.attn_gate.weight");
    d.gate.whole_heads = gate && gate->rows() == d.heads[0].n;
    set_windows(in, d, in.size_or("attention.sliding_window", 1 << 30, 0), 4, true);
    set_experts(in, d, {.gate = Gate::kSigmoid, .normalise = true});
    if (d.n_shared_ff == 0) d.n_shared_ff = d.n_expert_ff;
}

// Cohere 2 with experts, whose sum with the shared expert is halved. Among the layers that see the whole
// context only the leading dense ones rotate.
void describe_cohere2moe(const ArchitectureKeys& in, ModelDescription& d) {
    if (!in.has("attention.layer_norm_rms_epsilon")) set_layer_norm(in, d);
    d.parallel = d.shared_norm = true;
    d.logit_scale = static_cast<float>(in.positive_or("logit_scale", 1.0));
    set_experts(in, d, {.gate = Gate::kSigmoid});
    if (d.n_shared_ff > 0) d.mixture_scale = 0.5f;
    set_windows(in, d, in.count("attention.sliding_window", 1 << 30), 4, true);
    rotate_windows_alone(d);
    std::fill_n(d.rotary.begin(), d.n_dense_layers, true);
}

// Experts read what attention reads, beside a block of width n_embd.
void describe_arctic(const ArchitectureKeys& in, ModelDescription& d) {
    d.early_experts = true;
    set_experts(in, d, {.normalise = true});
    d.n_ff = d.n_embd;
}

// Grok 1: its values are the defaults, since files older than the keys leave them out. Later models have a
// dense block beside the experts.
void describe_grok(const ArchitectureKeys& in, ModelDescription& d) {
    const auto number = [&](const char* name, double absent) {
        return static_cast<float>(in.positive_or(name, absent));
    };
    if (in.has("attention.temperature_length"))
        in.refuse("attention.temperature_length", "queries that grow with their position in this way");
    d.rope_kind = RopeKind::kHalves;
    d.activation = Activation::kGeluTanh;
    d.embedding_scale = number("embedding_scale", 78.38367176906169);
    d.logit_scale = number("logit_scale", 0.5773502691896257);
    d.attention_scale = number("attention.output_scale", 0.08838834764831845);
    d.attention_soft_cap = number("attn_logit_softcapping", 30);
    d.router_soft_cap = 30;  // if the file does not give it
    if (in.number_or("final_logit_softcapping", 0) > 0)
        d.logit_soft_cap = number("final_logit_softcapping", 1);
    d.post_norms = true;
    d.post_attention_norm_tensor = "attn_output_norm";
    if (first_layer_has(in, "layer_output_norm.weight"))
        d.post_feed_forward_norm_tensor = "layer_output_norm";
    set_experts(in, d, {.normalise = true});
    if (!first_layer_has(in, "ffn_up.weight")) return;
    d.n_shared_ff = d.n_ff;
    d.shared_suffix = "";
    d.mixture_scale = std::sqrt(0.5f);
}

constexpr Architecture kMixtures[] = {
    {"afmoe", describe_afmoe},
    {"arctic", describe_arctic},
    {"bailingmoe", describe_deepseek},
    {"bailingmoe2", describe_bailingmoe2},
    {"cohere2moe", describe_cohere2moe},
    {"dbrx", describe_dbrx},
    {"deepseek", describe_deepseek},
    {"dots1", describe_dots1},
    {"ernie4_5-moe", describe_ernie4_5_moe},
    {"exaone-moe", describe_exaone_moe},
    {"glm4moe", describe_glm4moe},
    {"grok", describe_grok},
    {"gpt-oss", describe_gpt_oss, {.base = 150000, .whole_pairs = false}},
    {"hunyuan-moe", describe_hunyuan_moe},
    {"hy_v3", describe_hy_v3},
    {"laguna", describe_laguna, {.windows_stretched = false}},
    {"llama4", describe_llama4},
    {"mellum", describe_mellum, {.windows_stretched = false}},
    {"minimax-m2", describe_minimax_m2},
    {"olmoe", describe_olmoe},
    {"phimoe", describe_phimoe},
    {"qwen2moe", describe_qwen2moe},
    {"qwen3moe", describe_qwen3moe},
    {"qwen3vlmoe", describe_qwen3moe},
    {"smallthinker", describe_smallthinker, {.windows_stretched = false}},
};

}  // namespace

std::span<const Architecture> mixture_family() { return kMixtures; }

void set_experts(const ArchitectureKeys& in, ModelDescription& d, const Routing& defaults) {
    const std::string& path = in.file().path();
    Routing& r = d.routing;
    r = defaults;
    r.n_experts = in.count("expert_count", 4096);
    r.n_used = in.count("expert_used_count", r.n_experts);
    r.n_groups = in.count_or("expert_group_count", r.n_experts, 1);
    r.n_used_groups = in.count_or("expert_group_used_count", r.n_groups, r.n_groups);
    if (r.n_experts % r.n_groups != 0 || r.n_used > r.n_experts / r.n_groups * r.n_used_groups) {
        fail(ErrorCode::kFormat, "{}: {} of {} experts cannot be taken from {} of {} groups", path, r.n_used,
             r.n_experts, r.n_used_groups, r.n_groups);
    }
    r.normalise = in.flag_or("expert_weights_norm", r.normalise);
    const double scale = in.number_or("expert_weights_scale", r.scale);
    if (scale != 0) r.scale = static_cast<float>(scale);  // some files write 0 for 1
    constexpr int kFirst = 1, kGates = 3;                 // as files number them
    constexpr Gate kOrder[kGates] = {Gate::kSoftmax, Gate::kSigmoid, Gate::kSoftmaxOfChosen};
    const double gate = in.number_or("expert_gating_func", 0);  // 0: the architecture's default
    if (gate != 0) {
        if (gate < kFirst || gate > kGates)
            fail(ErrorCode::kUnsupported, "{}: expert_gating_func {} is not supported", path, gate);
        r.gate = kOrder[static_cast<int>(gate) - kFirst];
    }
    if (in.number_or("router_logit_softcapping", 0) > 0)
        d.router_soft_cap = static_cast<float>(in.positive_or("router_logit_softcapping", 1));
    d.n_expert_ff = in.head_count("expert_feed_forward_length", 1 << 22, d.n_ff);
    d.n_shared_ff = in.size_or("expert_shared_feed_forward_length", 1 << 22,
                               in.size_or("expert_shared_count", 64, 0) * d.n_expert_ff);
    d.n_dense_layers = in.size_or("leading_dense_block_count", d.n_layers, 0);
}

}  // namespace kvsplit
