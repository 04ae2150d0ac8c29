#include "model/kv_scales.h"

#include <algorithm>
#include <cmath>

namespace kvsplit {
namespace {

constexpr int kStates = 4;  // random ones
// Exponents of magnitudes that keep a scale of 1. Random states reach about three standard deviations of a
// channel, real ones at most sqrt(n_embd): from 2^9 on, that is still below 65,504.
constexpr int kLargest = 9, kSmallest = -9;

std::vector<float> scales_of(const std::vector<float>& magnitudes) {
    std::vector<float> out;
    for (const float m : magnitudes) out.push_back(kv_scale(m));
    const bool none = std::ranges::all_of(out, [](float scale) { return scale == 1.0f; });
    return none ? std::vector<float>{} : out;
}

}  // namespace

float kv_scale(float magnitude) {
    if (!std::isfinite(magnitude) || magnitude == 0) return 1.0f;
    int exponent = 0;  // magnitude < 2^exponent
    std::frexp(magnitude, &exponent);
    // Large heads come down to the limit only, since their other channels may be smaller.
    if (exponent > kLargest) return std::ldexp(1.0f, kLargest - exponent);
    if (exponent < kSmallest) return std::ldexp(1.0f, std::min(-exponent, 100));
    return 1.0f;
}

void choose_kv_scales(Backend& backend, const ModelDescription& d, Weights& weights) {
    Workspace workspace(backend, d, kStates);
    for (int i = 0; i < d.n_layers; ++i) {
        if (!d.keeps_kv(i)) continue;
        const KvMagnitudes sizes = probe_keys_and_values(backend, d, weights, workspace, i, kStates);
        weights.layers[static_cast<std::size_t>(i)].kv_scales = {scales_of(sizes.key),
                                                                 scales_of(sizes.value)};
    }
}

}  // namespace kvsplit
