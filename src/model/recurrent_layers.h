// The layers of hybrid models that keep a state of fixed size: what they are, their weights and their part of
// the forward pass.
#pragma once

#include <memory>
#include <span>

#include "backend/backend.h"
#include "model/linear.h"

namespace kvsplit {

// One kind for all layers of a model that have one.
struct RecurrentBlock {
    enum class Kind {
        kNone,
        kShortConvolution,  // LFM2: a convolution between two gates
        kMamba,             // a convolution, a state space whose steps its output chooses, a gate (Jamba)
        kMamba2,            // a convolution, a state space of heads, a gate and perhaps a norm
        kDeltaRule,         // a convolution of queries, keys and values, the gated delta rule, a norm, a gate
    };
    Kind kind = Kind::kNone;
    int n_taps = 0;     // of the convolution
    int n_inner = 0;    // channels that the block hands to its last product
    int n_heads = 0;    // that n_inner is cut into
    int n_groups = 1;   // of heads that share what the state is written and read with: query and key heads
    int n_state = 0;    // elements of the state for each of the n_inner channels: channels of a key
    int n_step = 0;     // Mamba: channels that all steps are made of
    bool norm = false;  // Mamba-2: of each group, after the gate; Mamba: of steps, b and c
    bool tiled_heads = false;     // delta rule: value head h reads key head h % n_groups
    bool steps_by_group = false;  // delta rule: [beta | alpha] group by group

    int n_convolved() const;                   // channels of the convolution
    int n_projected() const;                   // of the block's first product
    RecurrentShape shape(int n_layers) const;  // of the sequences' states
};

struct RecurrentWeights {
    Linear in;                                    // (n_projected, n_embd)
    std::unique_ptr<Buffer> convolution;          // (n_taps, n_convolved)
    std::unique_ptr<Buffer> convolution_bias;     // (n_convolved) or null
    std::unique_ptr<Buffer> a, d, step_bias;      // as StateSpace and DeltaRule have them; before softplus
    NormWeights norm;                             // Mamba-2: (n_inner), delta rule: (n_inner / n_heads)
    std::unique_ptr<Buffer> unit_gain;            // delta rule: (2 n_groups, n_state), of queries and keys
    std::unique_ptr<WeightMatrix> step_bc, step;  // Mamba: ([step | b | c], n_inner), (n_inner, n_step)
    NormWeights step_norm, b_norm, c_norm;        // Mamba: (n_step), (n_state), (n_state)
    Linear out;                                   // (n_embd, n_inner)
};

// Working memory for up to max_tokens rows.
struct RecurrentWorkspace {
    RecurrentWorkspace(Backend& backend, const RecurrentBlock& block, int max_tokens);
    std::unique_ptr<Buffer> projected, convolved, step, out;
    std::unique_ptr<Buffer> step_bc, short_step;  // Mamba
};

// What a block makes of `in` (n, n_embd), before its last product: (n, n_inner) in the workspace.
//   layer: among those that have a block; eps: of the block's norm
const float* run_recurrent_block(Backend& backend, const RecurrentBlock& block,
                                 const RecurrentWeights& weights, RecurrentWorkspace& workspace,
                                 std::span<const SequenceRun> runs, int layer, float eps, const float* in,
                                 int n);

}  // namespace kvsplit
