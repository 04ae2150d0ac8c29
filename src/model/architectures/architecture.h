// The table of architectures, family by family, and what their descriptions have in common.
#pragma once

#include <span>
#include <string_view>

#include "model/architecture_keys.h"
#include "model/description.h"

namespace kvsplit {

struct Architecture {
    std::string_view name;
    // Completes a description that already has the sizes, every layer rotated and without a window, and
    // otherwise the defaults of ModelDescription. Throws as kvsplit::describe.
    void (*describe)(const ArchitectureKeys& in, ModelDescription& d);
    RopeDefaults rope = {};
};

std::span<const Architecture> llama_family();     // RMS norms, gated, RoPE
std::span<const Architecture> gpt_family();       // LayerNorms
std::span<const Architecture> deepseek_family();  // latent attention
std::span<const Architecture> mixture_family();   // mixtures of experts
std::span<const Architecture> gemma_family();     // scaled embeddings, windows, soft caps
std::span<const Architecture> hybrid_family();    // layers with a state of fixed size

// What this build lacks for an architecture that is known and not in the table; empty for any other name.
std::string_view lacking_for(std::string_view architecture);

// ---- parts of descriptions

// Granite with or without experts, hybrid or not; MiniCPM's scales.
void describe_granite(const ArchitectureKeys& in, ModelDescription& d);
void describe_minicpm(const ArchitectureKeys& in, ModelDescription& d);

// Whether the first layer has the tensor: "attn_q_norm.weight".
bool first_layer_has(const ArchitectureKeys& in, std::string_view tensor);
void set_layer_norm(const ArchitectureKeys& in, ModelDescription& d);
// Gives `window` tokens to all layers but the last of each period (0: to all), or to those that the file's
// own pattern names. full_first: but the first of each.
void set_windows(const ArchitectureKeys& in, ModelDescription& d, int window, int period,
                 bool full_first = false);
// Layers that see the whole context tell no positions.
void rotate_windows_alone(ModelDescription& d);
// Queries, keys and values are cut off where the file says so.
void set_clamp(const ArchitectureKeys& in, ModelDescription& d);
// The mixture of experts that the file describes, with `defaults` for absent keys, in all layers after the
// leading dense ones.
void set_experts(const ArchitectureKeys& in, ModelDescription& d, const Routing& defaults);
// Sizes of the heads of latent attention, in place of what other files say of heads.
void set_latent_attention(const ArchitectureKeys& in, ModelDescription& d);
// Queries that grow with their position: as the file says, where it says nothing with this scale (0: they do
// not) and period (0: the context before it was stretched).
void set_temperature(const ArchitectureKeys& in, ModelDescription& d, double scale, int period);
// The numbers that a key without the architecture's name has for each layer, or one for all. Throws
// Error(kFormat).
std::vector<double> numbers_of_layers(const gguf::File& file, const std::string& key, int n_layers);
// Whether the file tells positions of pictures by several numbers. Those of text are all the same.
bool has_rope_sections(const ArchitectureKeys& in);
// No rotation; logits lean towards near tokens, by Press et al., arXiv:2108.12409.
void set_alibi(ModelDescription& d, float max_bias);

}  // namespace kvsplit
