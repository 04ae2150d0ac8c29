// A mixture of experts: many feed-forward blocks; each token uses a few.
#pragma once

#include "backend/activation.h"

namespace kvsplit {

class WeightMatrix;

// How a token's experts are chosen and weighted, by one logit per expert.
struct Routing {
    enum class Gate : unsigned char {
        kSoftmax,          // of all logits
        kSigmoid,          // of each logit
        kSoftmaxOfChosen,  // the largest logits are chosen, then weighted by their softmax
        // Each by its softmax among the remaining logits close to it (SparseMixer, arXiv:2409.12136).
        kSparseMixer,
    };
    Gate gate = Gate::kSoftmax;
    int n_experts = 0;  // 0: no mixture
    int n_used = 0;     // experts per token
    // Experts form groups of equal size, and only those of the best n_used_groups can be chosen. A group's
    // rating is the sum over its best n_group_rating experts.
    int n_groups = 1, n_used_groups = 1, n_group_rating = 2;
    bool normalise = false;    // the weights of a token's experts are divided by their sum
    float scale = 1.0f;        // of the weights
    bool weigh_input = false;  // weights multiply an expert's input, not its output
};

struct Mixture {
    Routing routing;
    Activation activation;
    bool gated = true;                  // false: down (f(up x + bias)) of matrices `up` without gates
    const float* selection_bias;        // (n_experts) added to the gates for choosing only, or null
    const WeightMatrix* up;             // n_experts x [gate | up] of (2 n_ff, n_embd), or up alone
    const WeightMatrix* down;           // n_experts x (n_embd, n_ff)
    const float* up_scale = nullptr;    // (n_experts, 2 or 1) scales of the outputs of gate and up, or null
    const float* down_scale = nullptr;  // (n_experts) likewise, or null
    const float* up_bias;               // (n_experts, [gate | up] or up) or null
    const float* down_bias;             // (n_experts, n_embd) or null
};

}  // namespace kvsplit
