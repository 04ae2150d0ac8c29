// What measurements of speed need to know of a model and the cache behind a session.
#pragma once

#include <cstddef>

#include "kvsplit/model.h"

namespace kvsplit {

// The number of positions that the model has a learned vector for, the most tokens of a session; 0: no limit.
int known_positions(const Model& model);

// Bytes of the cache that attention read for the session's latest token, in all layers.
std::size_t kv_bytes_read(const Session& session);

// Appends n random keys and values to every layer instead of evaluating n tokens: as deep, in a fraction of
// the time, and without meaning. logits() stay what they were. Throws Error like eval().
void fill_randomly(Session& session, int n, unsigned seed);

}  // namespace kvsplit
