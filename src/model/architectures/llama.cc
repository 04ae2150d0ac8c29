// Llama and models that differ from it in details: RMS norms, a gated feed-forward block, RoPE.
#include <cmath>

#include "model/architectures/architecture.h"

namespace kvsplit {
namespace {

// Mixtral is Llama with experts.
void describe_llama(const ArchitectureKeys& in, ModelDescription& d) {
    if (in.number_or("expert_count", 0) > 0) set_experts(in, d, {.normalise = true});
}

void describe_with_halves(const ArchitectureKeys&, ModelDescription& d) { d.rope_kind = RopeKind::kHalves; }

// Files of Qwen 1 give the width of gate and up together.
void describe_qwen(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    if (d.n_ff % 2 != 0) in.refuse("feed_forward_length", "odd lengths");
    d.n_ff /= 2;
}

// Mistral 3, Ministral 3 and Devstral: Llama whose queries grow beyond the context before stretching.
void describe_mistral3(const ArchitectureKeys& in, ModelDescription& d) {
    describe_llama(in, d);
    set_temperature(in, d, 0.0, 0);
}

// Models for 4,096 tokens have windows of 2,047; others have none, or windows longer than their context.
void describe_phi3(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    const int window = in.size_or("attention.sliding_window", 1 << 30, 0);
    if (window > 0 && window < d.context_length) set_windows(in, d, window, 0);
}

void describe_qwen3(const ArchitectureKeys&, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.qk_norm = QkNorm::kHead;
}

// Heads are normalised after rotation.
void describe_hunyuan(const ArchitectureKeys& in, ModelDescription& d) {
    describe_qwen3(in, d);
    d.norm_after_rope = true;
    if (in.number_or("rope.scaling.alpha", 0) > 0) in.refuse("rope.scaling.alpha", "positions of pictures");
}

void describe_maincoder(const ArchitectureKeys&, ModelDescription& d) {
    d.qk_norm = QkNorm::kHead;
    d.norm_after_rope = true;
}

// LayerNorms in place of RMS norms.
void describe_orion(const ArchitectureKeys& in, ModelDescription& d) {
    set_layer_norm(in, d);
    d.rope_kind = RopeKind::kHalves;
}

void describe_plamo(const ArchitectureKeys&, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.parallel = true;
    d.shared_norm = true;
}

void describe_refact(const ArchitectureKeys&, ModelDescription& d) { set_alibi(d, 8.0f); }

// Layers may run more than once.
void describe_nanbeige(const ArchitectureKeys& in, ModelDescription&) {
    if (in.count_or("num_loops", 1024, 1) > 1) in.refuse("num_loops", "layers that run more than once");
}

// The 13B models do not rotate; only their number of layers tells them apart.
void describe_baichuan(const ArchitectureKeys&, ModelDescription& d) {
    constexpr int kLayers13B = 40;
    if (d.n_layers == kLayers13B) set_alibi(d, 8.0f);
}

void set_scales(const ArchitectureKeys& in, ModelDescription& d, double embedding, double residual,
                double logit_divisor) {
    d.embedding_scale = static_cast<float>(in.positive_or("embedding_scale", embedding));
    d.residual_scale = static_cast<float>(in.positive_or("residual_scale", residual));
    d.logit_scale = static_cast<float>(1.0 / in.positive_or("logit_scale", logit_divisor));
    d.attention_scale = static_cast<float>(in.positive_or("attention.scale", double{d.attention_scale}));
}

// Granite 4 with windows in the layers that the file names.
void describe_granite_swa(const ArchitectureKeys& in, ModelDescription& d) {
    describe_granite(in, d);
    set_windows(in, d, in.size_or("attention.sliding_window", 1 << 30, 0), 1);
    const std::vector<bool> rotary = in.flags("attention.rope_pattern", d.n_layers);
    if (!rotary.empty()) d.rotary.assign(rotary.begin(), rotary.begin() + d.n_layers);
    d.sink_logits = first_layer_has(in, "attn_sinks.weight");
}

// Every fourth layer does not rotate.
void describe_smollm3(const ArchitectureKeys&, ModelDescription& d) {
    constexpr int kPeriod = 4;
    for (std::size_t i = kPeriod - 1; i < d.rotary.size(); i += kPeriod) d.rotary[i] = false;
}

void describe_olmo(const ArchitectureKeys& in, ModelDescription& d) {
    set_layer_norm(in, d);
    d.norm_gains = false;
    set_clamp(in, d);
}

// OLMo 2, and OLMo 3, which adds windows.
void describe_olmo2(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.pre_norms = false;
    d.post_norms = true;
    d.qk_norm = QkNorm::kRow;
    set_windows(in, d, in.size_or("attention.sliding_window", 1 << 30, 0), 4);
}

// With windows, only the layers that have one rotate; without, every layer rotates.
void describe_exaone4(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.pre_norms = false;
    d.post_norms = true;
    d.qk_norm = QkNorm::kHead;
    const int window = in.size_or("attention.sliding_window", 1 << 30, 0);
    if (window == 0) return;
    set_windows(in, d, window, 4);
    rotate_windows_alone(d);
}

void describe_arcee(const ArchitectureKeys&, ModelDescription& d) {
    d.activation = Activation::kReluSquared;
    d.gated = false;
}

// For files that store the argument of softplus.
double softplus(double x) { return x > 20 ? x : std::log1p(std::exp(x)); }

void describe_apertus(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.qk_norm = QkNorm::kHead;
    d.gated = false;
    const auto each = [&](const char* name) { return numbers_of_layers(in.file(), name, d.n_layers); };
    const auto alpha_p = each("xielu.alpha_p"), alpha_n = each("xielu.alpha_n"), beta = each("xielu.beta"),
               eps = each("xielu.eps");
    for (std::size_t i = 0; i < static_cast<std::size_t>(d.n_layers); ++i) {
        d.xielu.push_back({.alpha_p = static_cast<float>(softplus(alpha_p[i])),
                           .alpha_n = static_cast<float>(beta[i] + softplus(alpha_n[i])),
                           .beta = static_cast<float>(beta[i]),
                           .eps = static_cast<float>(eps[i])});
    }
}

// With norms inside the blocks.
void describe_bitnet(const ArchitectureKeys&, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.sub_norms = true;
}

void describe_muse_glimmer(const ArchitectureKeys& in, ModelDescription& d) {
    d.embedding_norm = true;
    d.embedding_norm_gains = false;
    d.post_norms = true;
    d.post_norm_eps = 1e-8f;
    d.qk_norm = QkNorm::kHead;
    d.gate.source = AttentionGate::Source::kInput;
    d.logit_scale = static_cast<float>(in.positive_or("logit_scale", 1.0));
    if (in.has("final_logit_softcapping"))
        d.logit_soft_cap = static_cast<float>(in.positive_or("final_logit_softcapping", 1.0));
    set_windows(in, d, in.count("attention.sliding_window", 1 << 30), 4);
    rotate_windows_alone(d);
}

void describe_seed_oss(const ArchitectureKeys&, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.feed_forward_norm_tensor = "post_attention_norm";
}

// GLM-4 (0414); ChatGLM is a Llama whose queries and keys rotate by half. If the file describes positions of
// pictures, rotary pairs are kHalves.
void describe_glm4(const ArchitectureKeys& in, ModelDescription& d) {
    d.post_norms = true;
    if (has_rope_sections(in)) d.rope_kind = RopeKind::kHalves;
}

constexpr Architecture kLlama[] = {
    {"apertus", describe_apertus},
    {"arcee", describe_arcee},
    {"baichuan", describe_baichuan},
    {"bitnet", describe_bitnet},
    {"chatglm", describe_llama},
    {"ernie4_5", describe_llama},
    {"exaone", describe_with_halves},
    {"exaone4", describe_exaone4},
    {"glm4", describe_glm4},
    {"granite", describe_granite},
    {"granite_swa", describe_granite_swa},
    {"granitemoe", describe_granite},
    {"hunyuan-dense", describe_hunyuan},
    {"hunyuan_vl", describe_hunyuan},
    {"internlm2", describe_llama},
    {"llama", describe_llama},
    {"maincoder", describe_maincoder},
    {"minicpm", describe_minicpm},
    {"mistral3", describe_mistral3},
    {"muse-glimmer", describe_muse_glimmer, {.windows_stretched = false}},
    {"nanbeige", describe_nanbeige},
    {"olmo", describe_olmo},
    {"olmo2", describe_olmo2, {.windows_stretched = false}},
    {"orion", describe_orion},
    {"paddleocr", describe_with_halves},
    {"pangu-embedded", describe_with_halves},
    {"phi3", describe_phi3},
    {"plamo", describe_plamo},
    {"qwen", describe_qwen},
    {"qwen2", describe_with_halves},
    {"qwen2vl", describe_with_halves},
    {"qwen3", describe_qwen3},
    {"qwen3vl", describe_qwen3},
    {"refact", describe_refact},
    {"seed_oss", describe_seed_oss},
    {"smollm3", describe_smollm3},
    {"xverse", describe_llama},
};

}  // namespace

std::span<const Architecture> llama_family() { return kLlama; }

void describe_granite(const ArchitectureKeys& in, ModelDescription& d) {
    describe_llama(in, d);
    set_scales(in, d, 1.0, 1.0, 1.0);
    if (!in.flag_or("rope.scaling.finetuned", true)) d.n_rope_pairs = 0;
}

// Files made before these keys existed are MiniCPM-2B's: its values are the defaults.
void describe_minicpm(const ArchitectureKeys& in, ModelDescription& d) {
    set_scales(in, d, 12.0, 1.4 / std::sqrt(double(d.n_layers)), d.n_embd / 256.0);
}

}  // namespace kvsplit
