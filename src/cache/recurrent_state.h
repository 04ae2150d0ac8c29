// RecurrentState: a layer's memory of a sequence in a fixed number of floats, instead of or in addition to
// keys and values.
//
// It has no positions: each token changes all of it, so it can be copied and cleared, but not truncated.
#pragma once

#include <cstddef>
#include <vector>

#include "cache/page_memory.h"

namespace kvsplit {

// Layers with a state are numbered from 0 and have the same shape.
struct RecurrentShape {
    int n_layers = 0;       // 0: the model has no such layers
    std::size_t tail = 0;   // floats per layer: the latest inputs of its convolution
    std::size_t state = 0;  // floats per layer: the sum over all tokens

    std::size_t layer_bytes() const;
    std::size_t bytes() const { return static_cast<std::size_t>(n_layers) * layer_bytes(); }
};

// Zeros take no memory: a layer's floats are allocated on first access. Not thread-safe; one owner at a time.
class RecurrentState {
  public:
    RecurrentState(const RecurrentShape& shape, PageMemory memory);

    // (shape.tail) and (shape.state) floats of a layer, 64-byte aligned, zeros at first. Throw
    // Error(kOutOfMemory).
    float* tail(int layer);
    float* state(int layer);

    bool empty() const { return layers_.empty(); }  // the model has no such layers
    void clear();
    RecurrentState fork() const;
    std::size_t bytes() const;  // allocated

  private:
    RecurrentShape shape_;
    PageMemory memory_;
    std::vector<Page> layers_;  // [tail | state], or null
};

}  // namespace kvsplit
