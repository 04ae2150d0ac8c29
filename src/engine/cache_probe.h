// Access to a model and a session's cache for speed measurements.
#pragma once

#include <cstddef>

#include "kvsplit/model.h"

namespace kvsplit {

// The number of positions for which the model has a learned vector, hence the most tokens of a session; 0: no
// limit.
int known_positions(const Model& model);

// Bytes of the cache that attention read for the session's latest token, over all layers.
std::size_t kv_bytes_read(const Session& session);

// Appends n random keys and values to every layer instead of evaluating n tokens: the same depth in a
// fraction of the time. The contents mean nothing. logits() do not change. Throws Error like eval().
void fill_randomly(Session& session, int n, unsigned seed);

}  // namespace kvsplit
