// The speed of reading memory, for comparison with that of decoding.
#pragma once

namespace kvsplit::lab {

// The rate in 1e9 bytes/s at which `threads` threads read a buffer several times larger than the processor's
// caches, each its own part in order; the best of a few passes. Takes a fraction of a second. 0 if there is
// no memory for the buffer.
double measure_read_bandwidth(int threads);

}  // namespace kvsplit::lab
