// What attention reads of a cache: the bytes that a decoding step draws from memory.
#pragma once

#include <cstddef>

#include "cache/kv_cache.h"

namespace kvsplit {

// Bytes that the latest token's attention read, in all layers that read it: codes, scales and means of the
// sealed pages that its windows reach, and the 16-bit keys and values of the tokens that it reads exactly.
std::size_t kv_bytes_read(const KvCache& cache);

}  // namespace kvsplit
