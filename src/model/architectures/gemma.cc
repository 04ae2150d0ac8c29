// Google's Gemma models: scaled embeddings, GELU, from the second on norms behind the blocks and windows.
#include <cmath>

#include "model/architectures/architecture.h"

namespace kvsplit {
namespace {

void describe_gemma(const ArchitectureKeys&, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.activation = Activation::kGeluTanh;
    d.embedding_scale = std::sqrt(static_cast<float>(d.n_embd));
}

// The 27B models alone scale logits by their embedding's share of a head.
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

constexpr Architecture kGemma[] = {
    {"gemma", describe_gemma},
    {"gemma2", describe_gemma2},
    {"gemma3", describe_gemma3, {.base = 1e6, .window_base = 10000.0, .windows_stretched = false}},
};

}  // namespace

std::span<const Architecture> gemma_family() { return kGemma; }

}  // namespace kvsplit
