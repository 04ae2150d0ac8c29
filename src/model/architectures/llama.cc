// Llama and the models that differ from it by details: RMS norms, a gated feed-forward block, RoPE.
#include "model/architectures/architecture.h"

namespace kvsplit {
namespace {

void describe_llama(const ArchitectureKeys&, ModelDescription&) {}

void describe_qwen2(const ArchitectureKeys&, ModelDescription& d) { d.rope_kind = RopeKind::kHalves; }

void describe_qwen3(const ArchitectureKeys&, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.qk_norm = QkNorm::kHead;
}

// Files name a window that no layer of the published models may use at its trained length: it is the whole
// context, and llama.cpp ignores it as well.
void describe_phi3(const ArchitectureKeys&, ModelDescription& d) { d.rope_kind = RopeKind::kHalves; }

constexpr Architecture kFamily[] = {
    {"llama", describe_llama},
    {"phi3", describe_phi3},
    {"qwen2", describe_qwen2},
    {"qwen3", describe_qwen3},
};

}  // namespace

std::span<const Architecture> llama_family() { return kFamily; }

}  // namespace kvsplit
