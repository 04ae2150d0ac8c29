// The bytes of a cache that attention reads in a decoding step.
#pragma once

#include <cstddef>

#include "cache/kv_cache.h"

namespace kvsplit {

// Bytes that the latest token's attention read, over all layers: codes, scales and means of the sealed pages
// within its windows, and 16-bit keys and values of the tokens that it reads exactly.
std::size_t kv_bytes_read(const KvCache& cache);

}  // namespace kvsplit
