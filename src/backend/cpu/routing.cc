#include "backend/cpu/routing.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kvsplit::cpu {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr float kLowest = std::numeric_limits<float>::lowest();

// Replaces x (n) by its softmax.
void softmax(int n, float* x) {
    const float largest = *std::max_element(x, x + n);
    float sum = 0;
    for (int i = 0; i < n; ++i) sum += x[i] = std::exp(x[i] - largest);
    for (int i = 0; i < n; ++i) x[i] /= sum;
}

// Index of the largest number; of equals the first; 0 if x[0] is NaN.
int largest_of(int n, const float* x) {
    int best = 0;
    for (int i = 1; i < n; ++i) {
        if (x[i] > x[best]) best = i;
    }
    return best;
}

// The weight of the largest of scores (n): its softmax among the remaining ones whose distance is at most a
// fiftieth of the larger of both.
float near_softmax(int n, const float* scores, float largest) {
    constexpr float kNear = 0.02f;
    float sum = 0;
    for (int i = 0; i < n; ++i) {
        if (scores[i] > kLowest && largest - scores[i] <= kNear * std::max(std::abs(scores[i]), largest))
            sum += std::exp(scores[i] - largest);
    }
    return sum > 0 ? 1 / sum : 1;
}

// Sum of the largest n_rated of scores (n).
float rating(int n, const float* scores, int n_rated) {
    float best[2] = {kNever, kNever};
    for (int i = 0; i < n; ++i) {
        if (scores[i] > best[0]) {
            best[1] = best[0];
            best[0] = scores[i];
        } else if (scores[i] > best[1]) {
            best[1] = scores[i];
        }
    }
    return n_rated > 1 && n > 1 ? best[0] + best[1] : best[0];
}

// Rules out the experts of all but the best groups.
void keep_best_groups(const Routing& r, float* scores) {
    const int size = r.n_experts / r.n_groups;
    for (int rejected = r.n_groups - r.n_used_groups; rejected > 0; --rejected) {
        int worst = -1;
        float worst_rating = 0;
        for (int g = 0; g < r.n_groups; ++g) {
            const float* group = scores + g * size;
            if (group[0] == kNever) continue;  // already rejected
            const float rated = rating(size, group, r.n_group_rating);
            if (worst < 0 || rated <= worst_rating) {
                worst = g;
                worst_rating = rated;
            }
        }
        if (worst < 0) return;
        std::fill_n(scores + worst * size, size, kNever);
    }
}

}  // namespace

void route(const Routing& r, const float* logits, const float* bias, float* scratch, ChosenExpert* chosen) {
    float* gates = scratch;                 // for the weights
    float* scores = scratch + r.n_experts;  // for the choice
    std::copy_n(logits, r.n_experts, gates);
    if (r.gate == Routing::Gate::kSoftmax) softmax(r.n_experts, gates);
    if (r.gate == Routing::Gate::kSigmoid) {
        for (int i = 0; i < r.n_experts; ++i) gates[i] = 1 / (1 + std::exp(-gates[i]));
    }
    for (int i = 0; i < r.n_experts; ++i) {
        const float score = bias ? gates[i] + bias[i] : gates[i];
        scores[i] = score >= kLowest ? score : kLowest;  // NaN too
    }
    if (r.n_groups > 1) keep_best_groups(r, scores);

    for (int k = 0; k < r.n_used; ++k) {
        const int best = largest_of(r.n_experts, scores);
        const float weight = r.gate == Routing::Gate::kSparseMixer
                                 ? near_softmax(r.n_experts, scores, gates[best])
                                 : gates[best];
        scores[best] = kNever;
        chosen[k] = {best, weight};
    }
    if (r.gate == Routing::Gate::kSoftmaxOfChosen) {
        const float largest = chosen[0].weight;
        for (int k = 0; k < r.n_used; ++k) chosen[k].weight = std::exp(chosen[k].weight - largest);
    }
    float weights_sum = 0;
    for (int k = 0; k < r.n_used; ++k) weights_sum += chosen[k].weight;
    const bool divide = r.normalise || r.gate == Routing::Gate::kSoftmaxOfChosen;
    const float factor = divide ? r.scale / std::max(weights_sum, 1e-20f) : r.scale;
    for (int k = 0; k < r.n_used; ++k) chosen[k].weight *= factor;
}

}  // namespace kvsplit::cpu
