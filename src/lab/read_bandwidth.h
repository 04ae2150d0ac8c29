// How fast memory can be read: what the speed of decoding is held against.
#pragma once

namespace kvsplit::lab {

// Bytes per second, / 1e9, at which `threads` threads together read a buffer several times larger than the
// processor's caches, each its own part from front to back; the fastest of a few passes. Takes a fraction of
// a second. 0 where there is no memory for the buffer.
double measure_read_bandwidth(int threads);

}  // namespace kvsplit::lab
