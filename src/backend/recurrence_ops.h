// The recurrences of hybrid models. Each starts from a sequence's RecurrentState, processes the batch token
// by token, and stores the state after the last token.
//
// Shapes are row-major; n is the rows of the batch. "Heads" are those of the recurrence.
#pragma once

#include <cstddef>

#include "backend/activation.h"

namespace kvsplit {

// Rows of a wider matrix: row i begins at data + i * stride.
struct StridedRows {
    const float* data;
    std::ptrdiff_t stride;
    const float* row(int i) const { return data + i * stride; }
};

// A causal convolution, separate for each channel: out[t] = f(bias + sum over j of w[j] x[t - n_taps + 1 +
// j]). The state's tail keeps the last n_taps - 1 inputs, (n_taps - 1, n_channels).
struct Convolution {
    int layer;  // of the RecurrentState
    int n_channels, n_taps;
    const float* weights;  // (n_taps, n_channels)
    const float* bias;     // (n_channels) or null
    Activation activation;
};

// A selective state space (Mamba, arXiv:2312.00752; Mamba-2, arXiv:2405.21060). For each channel c and
// element s of its state:
//     state[s] = exp(dt * a) * state[s] + dt * x * b[s],    out = sum over s of c[s] * state[s] + d * x
// In Mamba-2 the channels of a head share one dt and one a; in Mamba each channel has its own dt, and each
// element of its state its own a. b and c belong to the head's group.
struct StateSpace {
    int layer;
    int n_heads, head_dim;  // Mamba: one head of all channels
    int n_groups, n_state;
    bool per_channel;  // Mamba
    const float* a;    // (n_heads), Mamba: (n_state, n_heads * head_dim)
    const float* d;    // (n_heads * head_dim)
};

// The gated delta rule (arXiv:2412.06464). For each value head, with a state of (n_key, n_value) and the
// query and key of its group:
//     state *= exp(a * step)
//     state += key x (sigmoid(beta) * (value - state^T key)),    out = state^T query
struct DeltaRule {
    int layer;
    int n_heads, n_value;  // value heads and their channels
    int n_groups, n_key;   // query and key heads and their channels
    bool interleaved;      // value head h reads key head h % n_groups, else h / (n_heads / n_groups)
    const float* a;        // (n_heads)
};

// The size of a layer's state: n_state elements per channel. The backend chooses their order and pads heads
// to multiples of 16 channels.
constexpr std::size_t state_floats(int n_heads, int head_dim, int n_state) {
    return static_cast<std::size_t>(n_heads) * static_cast<std::size_t>((head_dim + 15) / 16 * 16) *
           static_cast<std::size_t>(n_state);
}

}  // namespace kvsplit
