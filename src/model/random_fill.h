// Fills a cache with random keys and values, to reach a depth without evaluating a text.
#pragma once

#include "model/description.h"

namespace kvsplit {

// Appends n_tokens random keys and values to every layer by the backend's normal path: they go to open pages,
// which are sealed when due. Only attention to earlier tokens is skipped. The cache is as large and as costly
// to read as that of a text. The same seed gives the same cache.
void fill_randomly(Backend& backend, const ModelDescription& description, KvCache& cache, int n_tokens,
                   unsigned seed);

}  // namespace kvsplit
