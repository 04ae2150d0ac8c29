// GPT-2 and its descendants: LayerNorms, feed-forward blocks mostly without a gate.
#include "model/architectures/architecture.h"

namespace kvsplit {
namespace {

void set_gpt(const ArchitectureKeys& in, ModelDescription& d, Activation activation) {
    set_layer_norm(in, d);
    d.activation = activation;
    d.gated = false;
    d.rope_kind = RopeKind::kHalves;
}

void set_learned_positions(ModelDescription& d) {
    d.n_rope_pairs = 0;
    d.n_positions = d.context_length;
}

// Attention and feed-forward block read the same input, through one norm unless the file has two.
void set_parallel(ModelDescription& d, bool shared_norm) {
    d.parallel = true;
    d.shared_norm = shared_norm;
}

// Also StarCoder, whose query heads share one key-value head.
void describe_gpt2(const ArchitectureKeys& in, ModelDescription& d) {
    set_gpt(in, d, Activation::kGeluTanh);
    set_learned_positions(d);
}

void describe_gptneox(const ArchitectureKeys& in, ModelDescription& d) {
    set_gpt(in, d, Activation::kGelu);
    d.parallel = in.flag_or("use_parallel_residual", true);
}

void describe_bloom(const ArchitectureKeys& in, ModelDescription& d) {
    set_gpt(in, d, Activation::kGeluTanh);
    d.embedding_norm = true;
    set_alibi(d, 8.0f);
}

void describe_mpt(const ArchitectureKeys& in, ModelDescription& d) {
    set_gpt(in, d, Activation::kGelu);
    set_clamp(in, d);
    d.n_rope_pairs = 0;
    const double max_bias = in.number_or("attention.max_alibi_bias", 0);
    if (max_bias > 0) set_alibi(d, static_cast<float>(max_bias));
    if (in.file().find_tensor("position_embd.weight")) set_learned_positions(d);
    if (first_layer_has(in, "attn_q_norm.weight")) d.qk_norm = QkNorm::kRow;
}

void describe_falcon(const ArchitectureKeys& in, ModelDescription& d) {
    set_gpt(in, d, Activation::kGelu);
    const bool two_norms = first_layer_has(in, "attn_norm_2.weight");
    set_parallel(d, !two_norms);
    if (two_norms) {
        d.attention_norm_tensor = "attn_norm_2";
        d.feed_forward_norm_tensor = "attn_norm";
    }
}

void describe_phi2(const ArchitectureKeys& in, ModelDescription& d) {
    set_gpt(in, d, Activation::kGeluTanh);
    set_parallel(d, true);
}

void describe_starcoder2(const ArchitectureKeys& in, ModelDescription& d) {
    set_gpt(in, d, Activation::kGeluTanh);
}

// CodeShell: StarCoder with rotation.
void describe_codeshell(const ArchitectureKeys& in, ModelDescription& d) {
    set_gpt(in, d, Activation::kGeluTanh);
}

// Trained with muP: attention divides by the number of channels instead of its square root.
void describe_jais(const ArchitectureKeys& in, ModelDescription& d) {
    set_layer_norm(in, d);
    set_alibi(d, static_cast<float>(in.positive_or("attention.max_alibi_bias", 8.0)));
    d.attention_scale = 1.0f / static_cast<float>(d.head_dim);
}

void describe_nemotron(const ArchitectureKeys& in, ModelDescription& d) {
    set_gpt(in, d, Activation::kReluSquared);
}

// Sets norms per head if the file has them.
void set_head_norms(const ArchitectureKeys& in, ModelDescription& d) {
    if (first_layer_has(in, "attn_q_norm.weight")) d.qk_norm = QkNorm::kEachHead;
}

void describe_stablelm(const ArchitectureKeys& in, ModelDescription& d) {
    set_layer_norm(in, d);
    d.rope_kind = RopeKind::kHalves;
    if (!first_layer_has(in, "ffn_norm.weight")) set_parallel(d, true);
    set_head_norms(in, d);
}

void describe_command_r(const ArchitectureKeys& in, ModelDescription& d) {
    set_layer_norm(in, d);
    set_parallel(d, true);
    set_head_norms(in, d);
    d.logit_scale = static_cast<float>(in.positive_or("logit_scale", 1.0));
}

void describe_cohere2(const ArchitectureKeys& in, ModelDescription& d) {
    describe_command_r(in, d);
    set_windows(in, d, in.count("attention.sliding_window", 1 << 30), 4);
    rotate_windows_alone(d);
}

constexpr Architecture kGpt[] = {
    {"bloom", describe_bloom},           {"codeshell", describe_codeshell},
    {"cohere2", describe_cohere2},       {"command-r", describe_command_r},
    {"falcon", describe_falcon},         {"gpt2", describe_gpt2},
    {"gptneox", describe_gptneox},       {"jais", describe_jais},
    {"jais2", describe_nemotron},        {"mpt", describe_mpt},
    {"nemotron", describe_nemotron},     {"phi2", describe_phi2},
    {"stablelm", describe_stablelm},     {"starcoder", describe_gpt2},
    {"starcoder2", describe_starcoder2},
};

}  // namespace

std::span<const Architecture> gpt_family() { return kGpt; }

}  // namespace kvsplit
