// Google's Gemma models: scaled embeddings, GELU, norms after the blocks and windows from Gemma 2 on.
#include <fmt/format.h>

#include <cmath>

#include "model/architectures/architecture.h"

namespace kvsplit {
namespace {

void describe_gemma(const ArchitectureKeys&, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.activation = Activation::kGeluTanh;
    d.embedding_scale = std::sqrt(static_cast<float>(d.n_embd));
}

// Only the 27B models scale logits by n_embd / n_heads instead of the head size.
void scale_by_share(ModelDescription& d) {
    d.attention_scale = 1.0f / std::sqrt(static_cast<float>(d.n_embd) / static_cast<float>(d.n_heads));
}

void describe_gemma2(const ArchitectureKeys& in, ModelDescription& d) {
    describe_gemma(in, d);
    d.post_norms = true;
    d.attention_soft_cap = static_cast<float>(in.positive_or("attn_logit_softcapping", 50.0));
    d.logit_soft_cap = static_cast<float>(in.positive_or("final_logit_softcapping", 30.0));
    if (d.n_layers == 46) scale_by_share(d);
    set_windows(in, d, in.size_or("attention.sliding_window", 1 << 30, 4096), 2);
}

void describe_gemma3(const ArchitectureKeys& in, ModelDescription& d) {
    describe_gemma(in, d);
    d.post_norms = true;
    d.qk_norm = QkNorm::kHead;
    if (in.has("final_logit_softcapping"))
        d.logit_soft_cap = static_cast<float>(in.positive_or("final_logit_softcapping", 1.0));
    if (d.n_layers == 62) scale_by_share(d);
    set_windows(in, d, in.size_or("attention.sliding_window", 1 << 30, 0), 6);
}

// The last layers read the keys and values of the last layer before them with the same kind of attention.
void share_keys_and_values(const ArchitectureKeys& in, ModelDescription& d) {
    const int n_shared = in.size_or("attention.shared_kv_layers", d.n_layers, 0);
    if (n_shared == 0) return;
    const int n_own = d.n_layers - n_shared;
    for (int i = 0; i < d.n_layers; ++i) {
        int from = i;
        if (i >= n_own) {
            from = n_own - 1;
            while (from >= 0 && d.window(from) != d.window(i)) --from;
            if (from < 0)
                in.reject("attention.shared_kv_layers",
                          fmt::format("leaves no layer whose cache layer {} could read", i));
            d.heads[static_cast<std::size_t>(i)].n_kv = d.heads_of(from).n_kv;
        }
        d.kv_layers.push_back(from);
    }
}

void describe_gemma4(const ArchitectureKeys& in, ModelDescription& d) {
    describe_gemma(in, d);
    d.post_norms = true;
    d.qk_norm = QkNorm::kHead;
    d.value_norm = true;
    d.keys_as_values = true;
    d.attention_scale = 1.0f;
    if (in.has("final_logit_softcapping"))
        d.logit_soft_cap = static_cast<float>(in.positive_or("final_logit_softcapping", 1.0));
    d.n_embd_per_layer = in.size_or("embedding_length_per_layer_input", 1 << 16, 0);
    set_windows(in, d, in.size_or("attention.sliding_window", 1 << 30, 0), 6);
    const int dim = in.count_or("attention.key_length_swa", codec::kMaxHeadDim, d.head_dim);
    if (in.count_or("attention.value_length_swa", codec::kMaxHeadDim, dim) != dim)
        in.refuse("attention.value_length_swa", "values of another length than keys");
    for (int i = 0; i < d.n_layers; ++i) {
        if (d.window(i) > 0) d.heads[static_cast<std::size_t>(i)].dim = dim;
    }
    share_keys_and_values(in, d);
    if (in.size_or("expert_count", 4096, 0) == 0) return;
    set_experts(in, d, {.normalise = true});
    d.expert_norms = true;
    d.n_shared_ff = d.n_ff;
    d.shared_suffix = "";
}

constexpr Architecture kGemma[] = {
    {"gemma", describe_gemma},
    {"gemma2", describe_gemma2},
    {"gemma3", describe_gemma3, {.base = 1e6, .window_base = 10000.0, .windows_stretched = false}},
    {"gemma4", describe_gemma4, {.base = 1e6, .window_base = 10000.0, .windows_stretched = false}},
};

}  // namespace

std::span<const Architecture> gemma_family() { return kGemma; }

}  // namespace kvsplit
