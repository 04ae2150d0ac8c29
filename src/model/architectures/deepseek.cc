// Models whose keys and values come from one latent vector shared by all heads: DeepSeek's and others.
#include <cmath>

#include "base/error.h"
#include "model/architectures/architecture.h"

namespace kvsplit {
namespace {

void require_latent(const ArchitectureKeys& in, const ModelDescription& d) {
    if (d.latent.kv_rank == 0) in.refuse("attention.kv_lora_rank", "models without it");
}

// DeepSeek V2, V3, R1, Mistral 4 and models like them.
void describe_deepseek2(const ArchitectureKeys& in, ModelDescription& d) {
    require_latent(in, d);
    set_temperature(in, d, 0.0, 0);
    if (in.size_or("expert_count", 4096, 0) == 0) return;
    set_experts(in, d, {});
    // V2 rates a group by its best expert. V3 and later, which gate by sigmoid, use the best two.
    d.routing.n_group_rating = d.routing.gate == Routing::Gate::kSoftmax ? 1 : 2;
}

// MiniCPM's scales with latent attention.
void describe_minicpm3(const ArchitectureKeys& in, ModelDescription& d) {
    require_latent(in, d);
    d.rope_kind = RopeKind::kHalves;
    describe_minicpm(in, d);
}

void describe_plm(const ArchitectureKeys& in, ModelDescription& d) {
    require_latent(in, d);
    d.activation = Activation::kReluSquared;
    d.gated = false;
}

constexpr Architecture kDeepSeek[] = {
    {"deepseek2", describe_deepseek2, {.log_multiplier_unit = 0.1}},
    {"minicpm3", describe_minicpm3},
    {"mistral4", describe_deepseek2, {.log_multiplier_unit = 0.1}},
    {"plm", describe_plm},
};

}  // namespace

std::span<const Architecture> deepseek_family() { return kDeepSeek; }

void set_latent_attention(const ArchitectureKeys& in, ModelDescription& d) {
    LatentAttention& l = d.latent;
    // Files with one tensor for keys and values (attn_kv_b) give the sizes of its heads. Others give the
    // sizes of the latent, and those of the heads under names that end in _mla.
    const bool whole = first_layer_has(in, "attn_kv_b.weight");
    const auto length = [&](const std::string& name) {
        return whole ? in.count_or(name, codec::kMaxHeadDim, d.n_embd / d.n_heads)
                     : in.count(name + "_mla", codec::kMaxHeadDim);
    };
    const int n_rotary = in.count("rope.dimension_count", codec::kMaxHeadDim);
    l.kv_rank = in.count("attention.kv_lora_rank", codec::kMaxHeadDim);
    l.q_rank = in.size_or("attention.q_lora_rank", 1 << 16, 0);
    const int key = length("attention.key_length");
    l.n_plain = key - n_rotary;
    l.n_value = length("attention.value_length");
    d.head_dim = n_rotary + l.kv_rank;
    d.n_kv_heads = 1;
    if (l.n_plain < 1 || d.head_dim > codec::kMaxHeadDim) {
        fail(ErrorCode::kFormat,
             "{}: a latent of {} channels with keys of {}, {} of them rotating, is out of range",
             in.file().path(), l.kv_rank, key, n_rotary);
    }
    d.attention_scale = 1.0f / std::sqrt(static_cast<float>(key));
}

}  // namespace kvsplit
