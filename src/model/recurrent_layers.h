// Layers of hybrid models that keep a state of fixed size: description, weights and forward pass.
#pragma once

#include <memory>
#include <span>

#include "backend/backend.h"
#include "model/linear.h"

namespace kvsplit {

// All recurrent layers of a model have the same kind and sizes.
struct RecurrentBlock {
    enum class Kind {
        kNone,
        kShortConvolution,  // LFM2: a convolution between two gates
        kMamba,             // a convolution, a state space with steps computed from it, a gate (Jamba)
        kMamba2,            // a convolution, a state space with heads, a gate, optionally a norm
        kDeltaRule,         // a convolution of queries, keys and values, the gated delta rule, a norm, a gate
    };
    Kind kind = Kind::kNone;
    int n_taps = 0;               // of the convolution
    int n_inner = 0;              // channels that the output projection reads
    int n_heads = 0;              // equal parts of n_inner
    int n_groups = 1;             // heads of a group share b and c; delta rule: query and key heads
    int n_state = 0;              // state elements per channel of n_inner; delta rule: channels of a key
    int n_step = 0;               // Mamba: channels from which the steps are projected
    bool norm = false;            // Mamba-2: norm per group after the gate; Mamba: norms of steps, b and c
    bool tiled_heads = false;     // delta rule: value head h reads key head h % n_groups
    bool steps_by_group = false;  // delta rule: [beta | alpha] is stored group by group

    int n_convolved() const;                   // channels of the convolution
    int n_projected() const;                   // outputs of the input projection
    RecurrentShape shape(int n_layers) const;  // of a sequence's state
};

struct RecurrentWeights {
    Linear in;                                    // (n_projected, n_embd)
    std::unique_ptr<Buffer> convolution;          // (n_taps, n_convolved)
    std::unique_ptr<Buffer> convolution_bias;     // (n_convolved) or null
    std::unique_ptr<Buffer> a, d, step_bias;      // see StateSpace, DeltaRule
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

// Runs a block on `in` (n, n_embd) up to its output projection. Returns (n, n_inner), in the workspace.
//   layer: index among the recurrent layers; eps: of the block's norm
const float* run_recurrent_block(Backend& backend, const RecurrentBlock& block,
                                 const RecurrentWeights& weights, RecurrentWorkspace& workspace,
                                 std::span<const SequenceRun> runs, int layer, float eps, const float* in,
                                 int n);

}  // namespace kvsplit
