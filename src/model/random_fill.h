// A cache full of random keys and values: as deep as wanted without the work of evaluating a text.
#pragma once

#include "model/description.h"

namespace kvsplit {

// Appends n_tokens random keys and values to every layer, through the backend's own path: appended to open
// pages, sealed when they fall due. Only the look back at earlier tokens is left out. The cache is as large
// and as costly to read as one of text; what it says is noise. The same seed gives the same cache.
void fill_randomly(Backend& backend, const ModelDescription& description, KvCache& cache, int n_tokens,
                   unsigned seed);

}  // namespace kvsplit
