// Models whose feed-forward blocks are mixtures of experts.
#include <fmt/format.h>

#include <algorithm>

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

// DeepSeek's first mixture, which knows no latent attention.
void describe_deepseek(const ArchitectureKeys& in, ModelDescription& d) { set_experts(in, d, {}); }

void describe_bailingmoe2(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.qk_norm = QkNorm::kHead;
    set_experts(in, d, {.gate = Gate::kSigmoid});
}

// Heads are normalised after they were rotated. Where the file names no width of experts, it is that of all
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

// EXAONE 4's attention before its blocks' norms; layers that see the whole context do not rotate.
void describe_exaone_moe(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.qk_norm = QkNorm::kHead;
    set_windows(in, d, in.count_or("attention.sliding_window", 1 << 30, 128), 4);
    for (std::size_t i = 0; i < d.rotary.size(); ++i) d.rotary[i] = d.windows[i] > 0;
    set_experts(in, d, {.gate = Gate::kSigmoid});
}

void describe_mellum(const ArchitectureKeys& in, ModelDescription& d) {
    describe_qwen3moe(in, d);
    set_windows(in, d, in.size_or("attention.sliding_window", 1 << 30, 0), 4);
}

// Three of four layers, beginning with the second, have windows and rotate, if the file has windows.
void describe_smallthinker(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.activation = Activation::kRelu;
    d.early_router = true;
    if (const int window = in.size_or("attention.sliding_window", 1 << 30, 0); window > 0) {
        for (std::size_t i = 0; i < d.windows.size(); ++i) d.windows[i] = i % 4 == 0 ? 0 : window;
        for (std::size_t i = 0; i < d.rotary.size(); ++i) d.rotary[i] = d.windows[i] > 0;
    }
    set_experts(in, d, {.normalise = true});
}

// Phi 3.5. The files name an RMS norm's epsilon, but the norms are LayerNorms.
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

// Llama 4. Three of four layers see their own stretch of the text, and rotate; the fourth sees all, does not
// rotate, and sharpens its queries. The models with 128 experts alone do not normalise heads.
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

constexpr Architecture kMixtures[] = {
    {"bailingmoe", describe_deepseek},
    {"bailingmoe2", describe_bailingmoe2},
    {"dbrx", describe_dbrx},
    {"deepseek", describe_deepseek},
    {"dots1", describe_dots1},
    {"ernie4_5-moe", describe_ernie4_5_moe},
    {"exaone-moe", describe_exaone_moe},
    {"glm4moe", describe_glm4moe},
    {"gpt-oss", describe_gpt_oss, {.base = 150000, .whole_pairs = false}},
    {"hunyuan-moe", describe_hunyuan_moe},
    {"hy_v3", describe_hy_v3},
    {"llama4", describe_llama4},
    {"mellum", describe_mellum, {.windows_stretched = false}},
    {"minimax-m2", describe_minimax_m2},
    {"olmoe", describe_olmoe},
    {"phimoe", describe_phimoe},
    {"qwen2moe", describe_qwen2moe},
    {"qwen3moe", describe_qwen3moe},
    {"qwen3vlmoe", describe_qwen3moe},
    {"smallthinker", describe_smallthinker},
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
    if (scale != 0) r.scale = static_cast<float>(scale);  // 0 is how some files say 1
    constexpr int kFirst = 1, kGates = 3;                 // as files number them
    constexpr Gate kOrder[kGates] = {Gate::kSoftmax, Gate::kSigmoid, Gate::kSoftmaxOfChosen};
    const double gate = in.number_or("expert_gating_func", 0);  // 0: as the architecture has it
    if (gate != 0) {
        if (gate < kFirst || gate > kGates)
            fail(ErrorCode::kUnsupported, "{}: expert_gating_func {} is not supported", path, gate);
        r.gate = kOrder[static_cast<int>(gate) - kFirst];
    }
    d.n_expert_ff = in.head_count("expert_feed_forward_length", 1 << 22, d.n_ff);
    d.n_shared_ff = in.size_or("expert_shared_feed_forward_length", 1 << 22,
                               in.size_or("expert_shared_count", 64, 0) * d.n_expert_ff);
    d.n_dense_layers = in.size_or("leading_dense_block_count", d.n_layers, 0);
}

}  // namespace kvsplit
