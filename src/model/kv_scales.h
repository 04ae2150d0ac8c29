// Powers of two that bring a model's keys and values into the range of 16-bit floats.
#pragma once

#include "model/forward.h"

namespace kvsplit {

// Sets weights.layers[..].kv_scales. Every cache but f32 stores keys and values in 16 bits first, where those
// of some models would become infinite or 0: keys a million times larger than usual, say, with queries a
// million times smaller, which is the same function. Magnitudes are measured on a few random states in each
// layer. Usual ones get a scale of 1, so ordinary models do not change.
void choose_kv_scales(Backend& backend, const ModelDescription& description, Weights& weights);

// The scale of a head whose keys, or values, have this magnitude: a power of two; 1 for usual magnitudes, 0,
// infinity and NaN.
float kv_scale(float magnitude);

}  // namespace kvsplit
