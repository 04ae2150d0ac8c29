// Models with layers that keep a state of fixed size, instead of attention or beside it.
#include <algorithm>

#include "base/error.h"
#include "model/architectures/architecture.h"

namespace kvsplit {
namespace {

using Kind = RecurrentBlock::Kind;
constexpr int kMaxTaps = 64;  // of a convolution
constexpr int kMaxChannels = 1 << 20, kMaxState = 4096;

// Layers without keys and values have a recurrence.
void set_recurrent_layers(ModelDescription& d, Kind kind) {
    d.recurrence.kind = kind;
    for (LayerBlocks& blocks : d.blocks) blocks.recurrence = !blocks.attention;
}

// Sets the sizes of a recurrence with heads.
void set_heads(const ArchitectureKeys& in, ModelDescription& d) {
    RecurrentBlock& r = d.recurrence;
    r.n_taps = in.count("ssm.conv_kernel", kMaxTaps);
    r.n_inner = in.count("ssm.inner_size", kMaxChannels);
    r.n_heads = in.count("ssm.time_step_rank", r.n_inner);
    r.n_groups = in.count("ssm.group_count", r.n_heads);
    r.n_state = in.count("ssm.state_size", kMaxState);
    if (r.n_inner % r.n_heads != 0 || r.n_heads % r.n_groups != 0) {
        fail(ErrorCode::kFormat, "{}: {} channels of a state cannot be cut into {} heads of {} groups",
             in.file().path(), r.n_inner, r.n_heads, r.n_groups);
    }
    if (std::int64_t{r.n_groups} * r.n_state > kMaxChannels) {
        fail(ErrorCode::kFormat, "{}: {} groups of states of {} elements are out of range", in.file().path(),
             r.n_groups, r.n_state);
    }
}

// Sets the file's Mamba-2 state space. Some models have no norm in it.
void set_mamba2(const ArchitectureKeys& in, ModelDescription& d) {
    RecurrentBlock& r = d.recurrence;
    r.kind = Kind::kMamba2;
    set_heads(in, d);
    const auto first =
        std::find_if(d.blocks.begin(), d.blocks.end(), [](const auto& b) { return b.recurrence; });
    r.norm =
        in.file().find_tensor(fmt::format("blk.{}.ssm_norm.weight", first - d.blocks.begin())) != nullptr;
}

// LFM2, with and without experts.
void describe_lfm2(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.qk_norm = QkNorm::kHead;
    d.output_norm_tensor = "token_embd_norm";
    set_recurrent_layers(d, Kind::kShortConvolution);
    d.recurrence.n_taps = in.count("shortconv.l_cache", kMaxTaps);
    d.recurrence.n_inner = d.n_embd;
    set_windows(in, d, in.size_or("attention.sliding_window", 1 << 30, 0), 0);
    if (in.size_or("expert_count", 4096, 0) > 0)
        set_experts(in, d, {.gate = Routing::Gate::kSigmoid, .normalise = true});
}

// Granite 4, with and without experts.
void describe_granite_hybrid(const ArchitectureKeys& in, ModelDescription& d) {
    describe_granite(in, d);
    set_recurrent_layers(d, Kind::kMamba2);
    set_mamba2(in, d);
}

// Attention and a state space side by side in every layer.
void describe_falcon_h1(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    for (LayerBlocks& blocks : d.blocks) blocks.recurrence = true;
    set_mamba2(in, d);
}

// Each layer has one block: attention, a state space or a feed-forward block.
void describe_nemotron_h(const ArchitectureKeys& in, ModelDescription& d) {
    d.norm_eps = static_cast<float>(in.positive_or("attention.layer_norm_rms_epsilon",
                                                   in.positive_or("attention.layer_norm_epsilon", 1e-5)));
    d.n_rope_pairs = 0;
    d.activation = Activation::kReluSquared;
    d.gated = false;
    d.feed_forward_norm_tensor = d.attention_norm_tensor;
    const std::vector<bool> feed_forward = in.flags("feed_forward_length", d.n_layers);
    if (feed_forward.empty()) in.refuse("feed_forward_length", "models in which it is one number");
    set_recurrent_layers(d, Kind::kMamba2);
    for (std::size_t i = 0; i < d.blocks.size(); ++i) {
        LayerBlocks& blocks = d.blocks[i];
        blocks.feed_forward = feed_forward[i];
        if (blocks.feed_forward) blocks.attention = blocks.recurrence = false;
    }
    set_mamba2(in, d);
    if (in.size_or("expert_count", 4096, 0) == 0) return;
    set_experts(in, d, {.gate = Routing::Gate::kSigmoid});
    d.n_expert_embd = in.size_or("moe_latent_size", kMaxChannels, 0);
}

// Every n-th layer attends, unless the file lists the recurrent ones.
void set_delta_rule(const ArchitectureKeys& in, ModelDescription& d) {
    const std::vector<bool> recurrent = in.flags("attention.recurrent_layers", d.n_layers);
    const int period = in.count_or("full_attention_interval", 1 << 20, 4);
    for (int i = 0; i < d.n_layers; ++i) {
        const auto at = static_cast<std::size_t>(i);
        d.blocks[at].attention = recurrent.empty() ? (i + 1) % period == 0 : !recurrent[at];
    }
    set_recurrent_layers(d, Kind::kDeltaRule);
    set_heads(in, d);
}

void describe_qwen3next(const ArchitectureKeys& in, ModelDescription& d) {
    d.rope_kind = RopeKind::kHalves;
    d.feed_forward_norm_tensor = "post_attention_norm";
    d.qk_norm = QkNorm::kHead;
    d.gate.source = AttentionGate::Source::kQuery;
    set_delta_rule(in, d);
    d.recurrence.steps_by_group = true;
    if (in.size_or("expert_count", 4096, 0) == 0) return;
    set_experts(in, d, {.normalise = true});
    d.shared_gate = d.n_shared_ff > 0;
}

// Its files describe positions of pictures; for text these equal ordinary positions.
void describe_qwen35(const ArchitectureKeys& in, ModelDescription& d) {
    describe_qwen3next(in, d);
    d.recurrence.steps_by_group = false;
    d.recurrence.tiled_heads = true;
}

// Mamba in most layers, experts in every other one.
void describe_jamba(const ArchitectureKeys& in, ModelDescription& d) {
    d.n_rope_pairs = 0;
    set_recurrent_layers(d, Kind::kMamba);
    RecurrentBlock& r = d.recurrence;
    r.n_taps = in.count("ssm.conv_kernel", kMaxTaps);
    r.n_inner = in.count("ssm.inner_size", kMaxChannels);
    r.n_heads = 1;
    r.n_state = in.count("ssm.state_size", kMaxState);
    r.n_step = in.count("ssm.time_step_rank", 1 << 16);
    r.norm = true;
    if (in.size_or("expert_count", 4096, 0) == 0) return;
    set_experts(in, d, {});
    for (int i = 0; i < d.n_layers; ++i) {
        d.blocks[static_cast<std::size_t>(i)].dense =
            !in.file().find_tensor(fmt::format("blk.{}.ffn_gate_inp.weight", i));
    }
}

constexpr Architecture kHybrids[] = {
    {"falcon-h1", describe_falcon_h1},
    {"granitehybrid", describe_granite_hybrid},
    {"jamba", describe_jamba},
    {"lfm2", describe_lfm2},
    {"lfm2moe", describe_lfm2},
    {"nemotron_h", describe_nemotron_h},
    {"nemotron_h_moe", describe_nemotron_h},
    {"qwen35", describe_qwen35},
    {"qwen35moe", describe_qwen35},
    {"qwen3next", describe_qwen3next},
};

}  // namespace

std::span<const Architecture> hybrid_family() { return kHybrids; }

}  // namespace kvsplit
