// The table of architectures, by family, and shared parts of their descriptions.
#pragma once

#include <span>
#include <string_view>

#include "model/architecture_keys.h"
#include "model/description.h"

namespace kvsplit {

struct Architecture {
    std::string_view name;
    // Completes a description that has its sizes; every layer rotates and has no window, the rest are
    // ModelDescription's defaults. Throws like kvsplit::describe.
    void (*describe)(const ArchitectureKeys& in, ModelDescription& d);
    RopeDefaults rope = {};
};

std::span<const Architecture> llama_family();     // RMS norms, gated, RoPE
std::span<const Architecture> gpt_family();       // LayerNorms
std::span<const Architecture> deepseek_family();  // latent attention
std::span<const Architecture> mixture_family();   // mixtures of experts
std::span<const Architecture> gemma_family();     // scaled embeddings, windows, soft caps
std::span<const Architecture> hybrid_family();    // layers with a state of fixed size

// What this build lacks to run a known but unsupported architecture; empty for any other name.
std::string_view lacking_for(std::string_view architecture);

// ---- parts of descriptions

// All kinds of Granite, and MiniCPM's scales.
void describe_granite(const ArchitectureKeys& in, ModelDescription& d);
void describe_minicpm(const ArchitectureKeys& in, ModelDescription& d);

// Whether the first layer has a tensor such as "attn_q_norm.weight".
bool first_layer_has(const ArchitectureKeys& in, std::string_view tensor);
void set_layer_norm(const ArchitectureKeys& in, ModelDescription& d);
// Gives a window of `window` tokens to all layers except the last of each period (with full_first, the first;
// period 0: to all), or to the layers of the file's own pattern.
void set_windows(const ArchitectureKeys& in, ModelDescription& d, int window, int period,
                 bool full_first = false);
// Only layers with a window rotate.
void rotate_windows_alone(ModelDescription& d);
// Clamps queries, keys and values if the file says so.
void set_clamp(const ArchitectureKeys& in, ModelDescription& d);
// Sets the file's mixture of experts, with `defaults` for absent keys, in all layers after the leading dense
// ones.
void set_experts(const ArchitectureKeys& in, ModelDescription& d, const Routing& defaults);
// Sets the head sizes of latent attention; the keys for ordinary heads do not apply.
void set_latent_attention(const ArchitectureKeys& in, ModelDescription& d);
// Sets the query temperature from the file, with these defaults for absent keys. scale 0: none; period 0: the
// context before stretching.
void set_temperature(const ArchitectureKeys& in, ModelDescription& d, double scale, int period);
// The per-layer numbers of a key, given in full; a single number is repeated. Throws Error(kFormat).
std::vector<double> numbers_of_layers(const gguf::File& file, const std::string& key, int n_layers);
// Whether positions have several components, for pictures. In text all components are equal.
bool has_rope_sections(const ArchitectureKeys& in);
// Replaces rotation by ALiBi: logits fall with distance (Press et al., arXiv:2108.12409).
void set_alibi(ModelDescription& d, float max_bias);

}  // namespace kvsplit
