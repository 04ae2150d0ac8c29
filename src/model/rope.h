// Rotary position embeddings: how fast each pair of channels turns, and how that is stretched to contexts
// longer than a model was trained for.
#pragma once

#include <string>
#include <vector>

#include "kvsplit/model.h"
#include "model/architecture_keys.h"

namespace kvsplit {

struct Rope {
    // (n_pairs) Angle of pair i at position t: t * frequencies[i].
    std::vector<double> frequencies;
    // The same in a sequence that may hold more than short_context tokens (LongRoPE); empty: no difference.
    std::vector<double> long_frequencies;
    int short_context = 0;
    // What queries and keys are multiplied with where they turn: YaRN and LongRoPE sharpen attention so.
    double magnitude = 1;
    // What the scale of attention is multiplied with besides: DeepSeek's share of the same.
    double attention_scale = 1;

    int n_pairs() const { return static_cast<int>(frequencies.size()); }
    const std::vector<double>& in_context(int tokens) const {
        return long_frequencies.empty() || tokens <= short_context ? frequencies : long_frequencies;
    }
};

// What an architecture has where the file says nothing.
struct RopeDefaults {
    double base = 10000;
    bool whole_pairs = true;  // YaRN's ramp begins and ends at whole pairs
    // Of rope.scaling.yarn_log_multiplier. DeepSeek's files have a tenth of it, and it sharpens all channels
    // instead of those that turn.
    double log_multiplier_unit = 1;
    double window_base = 0;  // of layers with a window; 0: as the others
    bool windows_stretched = true;
};

// Without any scaling: frequency i is base^(-i / n_pairs).
Rope plain_rope(int n_pairs, double base);

// The rotary embedding of the file's metadata and tensors ("rope.scaling.*", rope_freqs.weight,
// rope_factors_long.weight, rope_factors_short.weight), after the user's changes. context_length: the file's.
// Throws Error: kFormat for damaged metadata, kUnsupported for a kind of scaling not known here.
Rope read_rope(const ArchitectureKeys& keys, int n_pairs, int context_length, const RopeOptions& user,
               const RopeDefaults& defaults = {});

// The context that the model reaches after the user's changes.
int stretched_context(const ArchitectureKeys& keys, int context_length, const RopeOptions& user);

}  // namespace kvsplit
