// RecurrentState: what layers remember of a sequence in a fixed number of floats, in place of keys and values
// or beside them.
//
// It has no positions: every token changes all of it, so it can be copied and forgotten, but not cut back.
#pragma once

#include <cstddef>
#include <vector>

#include "cache/page_memory.h"

namespace kvsplit {

// Layers that have a state are numbered from 0 and all alike.
struct RecurrentShape {
    int n_layers = 0;       // 0: the model has no such layers
    std::size_t tail = 0;   // floats of a layer: the latest inputs of its convolution
    std::size_t state = 0;  // floats of a layer: the sum over all tokens

    std::size_t layer_bytes() const;
    std::size_t bytes() const { return static_cast<std::size_t>(n_layers) * layer_bytes(); }
};

// Zeros take no memory: a layer's floats are allocated when somebody asks for them. Not thread-safe; one
// owner at a time.
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
