// Arguments of the recurrence kernels: up to 64 channels of one sequence, over a run of its tokens.
//
// Tokens are processed in order and channels are independent, so results depend neither on the batches of a
// text nor on the number of threads.
#pragma once

#include <cstddef>

#include "backend/recurrence_ops.h"

namespace kvsplit::cpu {

inline constexpr int kRecurrentBlock = 64;  // channels at a time, in vectors of 16

// Floats from one element of a state to the next, for a block of `width` channels.
constexpr int block_stride(int width) { return (width + 15) / 16 * 16; }
// Blocks that n channels are cut into, and the channels of block i.
constexpr int blocks_of(int n) { return (n + kRecurrentBlock - 1) / kRecurrentBlock; }
constexpr int block_width(int n, int i) {
    return n - i * kRecurrentBlock < kRecurrentBlock ? n - i * kRecurrentBlock : kRecurrentBlock;
}

struct ConvolutionBlock {
    int n_tokens, n_channels, n_taps;
    const float* weights;  // row j at + j * weight_stride
    std::ptrdiff_t weight_stride;
    const float* bias;  // or null
    float* tail;        // (n_taps - 1, ...), rows weight_stride apart; updated
    StridedRows x;
    float* out;
    std::ptrdiff_t out_stride;
};

struct StateSpaceBlock {
    int n_tokens, width, n_state;
    StridedRows x, b, c;
    StridedRows dt;  // of one head, or (width) of the channels
    const float* a;  // of one head, or row s of the channels at + s * a_stride
    std::ptrdiff_t a_stride;
    const float* d;  // (width)
    float* state;    // (n_state, block_stride(width))
    float* out;
    std::ptrdiff_t out_stride;
};

struct DeltaBlock {
    int n_tokens, width, n_key;
    StridedRows query, key, value;
    StridedRows step, beta;  // of one head: softplus(alpha + bias), and before the sigmoid
    float a;
    float* state;  // (n_key, block_stride(width))
    float* out;
    std::ptrdiff_t out_stride;
};

struct RecurrenceKernels {
    void (*convolve)(const ConvolutionBlock& block, Activation f);  // kSilu or kNone
    void (*state_space)(const StateSpaceBlock& block);              // Mamba-2: dt and a of a head
    void (*state_space_per_channel)(const StateSpaceBlock& block);  // Mamba
    void (*delta_rule)(const DeltaBlock& block);
    // out[i] = log(1 + e^(x[i] + bias[i]))
    void (*softplus)(const float* x, const float* bias, int n, float* out);
};

}  // namespace kvsplit::cpu
