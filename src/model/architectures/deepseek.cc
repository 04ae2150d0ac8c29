// DeepSeek's models, whose keys and values are made of a latent vector that all heads share.
#include <cmath>

#include "base/error.h"
#include "model/architectures/architecture.h"

namespace kvsplit {
namespace {

// DeepSeek V2, V3, R1, Mistral 4, and others that are built like them.
void describe_deepseek2(const ArchitectureKeys& in, ModelDescription& d) {
    if (d.latent.kv_rank == 0) in.refuse("attention.kv_lora_rank", "models without it");
    set_temperature(in, d, 0.0, 0);
    if (in.size_or("expert_count", 4096, 0) == 0) return;
    set_experts(in, d, {});
    // Groups are rated by their best expert in V2, by their best two from V3 on, which gates by sigmoid.
    d.routing.n_group_rating = d.routing.gate == Routing::Gate::kSoftmax ? 1 : 2;
}

constexpr Architecture kDeepSeek[] = {
    {"deepseek2", describe_deepseek2, {.log_multiplier_unit = 0.1}},
    {"mistral4", describe_deepseek2, {.log_multiplier_unit = 0.1}},
};

}  // namespace

std::span<const Architecture> deepseek_family() { return kDeepSeek; }

void set_latent_attention(const ArchitectureKeys& in, ModelDescription& d) {
    LatentAttention& l = d.latent;
    if (!in.has("attention.key_length_mla")) {
        fail(ErrorCode::kUnsupported,
             "{}: {}.attention.key_length_mla is missing: the file was made before latent attention was kept "
             "as it "
             "is (attn_k_b, attn_v_b); a newer file of the model is needed",
             in.file().path(), d.architecture);
    }
    const int n_rotary = in.count("rope.dimension_count", codec::kMaxHeadDim);
    l.kv_rank = in.count("attention.kv_lora_rank", codec::kMaxHeadDim);
    l.q_rank = in.size_or("attention.q_lora_rank", 1 << 16, 0);
    const int key = in.count("attention.key_length_mla", codec::kMaxHeadDim);
    l.n_plain = key - n_rotary;
    l.n_value = in.count("attention.value_length_mla", codec::kMaxHeadDim);
    d.head_dim = n_rotary + l.kv_rank;
    d.n_kv_heads = 1;
    if (l.n_plain < 1 || d.head_dim > codec::kMaxHeadDim) {
        fail(ErrorCode::kFormat,
             "{}: a latent of {} channels, and keys of {} of which {} rotate, are out of range",
             in.file().path(), l.kv_rank, key, n_rotary);
    }
    d.attention_scale = 1.0f / std::sqrt(static_cast<float>(key));
}

}  // namespace kvsplit
