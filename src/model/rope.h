// Rotary position embeddings: the frequency of each pair of channels, and how it is stretched to contexts
// longer than the model was trained for.
#pragma once

#include <string>
#include <vector>

#include "kvsplit/model.h"
#include "model/architecture_keys.h"

namespace kvsplit {

struct Rope {
    // (n_pairs) Angle of pair i at position t: t * frequencies[i].
    std::vector<double> frequencies;
    // Used instead in sequences that may exceed short_context tokens (LongRoPE); empty: no difference.
    std::vector<double> long_frequencies;
    int short_context = 0;
    // Factor of the rotated channels of queries and keys; YaRN and LongRoPE sharpen attention with it.
    double magnitude = 1;
    // An additional factor of the attention's scale; DeepSeek sharpens attention with it.
    double attention_scale = 1;

    int n_pairs() const { return static_cast<int>(frequencies.size()); }
    const std::vector<double>& in_context(int tokens) const {
        return long_frequencies.empty() || tokens <= short_context ? frequencies : long_frequencies;
    }
};

// An architecture's values for what the file leaves out.
struct RopeDefaults {
    double base = 10000;
    bool whole_pairs = true;  // YaRN's ramp begins and ends at whole pairs
    // Unit of rope.scaling.yarn_log_multiplier. DeepSeek's files store a tenth of it, and it sharpens all
    // channels instead of the rotated ones.
    double log_multiplier_unit = 1;
    double window_base = 0;  // base in layers with a window; 0: same as in the others
    bool windows_stretched = true;
};

// Without scaling: frequency i is base^(-i / n_pairs).
Rope plain_rope(int n_pairs, double base);

// The rotary embedding of the file's metadata and tensors ("rope.scaling.*", rope_freqs.weight,
// rope_factors_long.weight, rope_factors_short.weight), after the user's changes. context_length: the file's.
// Throws Error: kFormat for damaged metadata, kUnsupported for an unknown kind of scaling.
Rope read_rope(const ArchitectureKeys& keys, int n_pairs, int context_length, const RopeOptions& user,
               const RopeDefaults& defaults = {});

// The model's context in tokens after the user's changes.
int stretched_context(const ArchitectureKeys& keys, int context_length, const RopeOptions& user);

}  // namespace kvsplit
