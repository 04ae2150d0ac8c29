// Products of each head's vectors with the head's own matrix.
#pragma once

#include <cstddef>

#include "backend/backend.h"
#include "backend/cpu/aligned_buffer.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/packed_matrix.h"
#include "backend/cpu/row_tiles.h"
#include "base/thread_pool.h"

namespace kvsplit::cpu {

// Working memory grows on demand. One call at a time. Every element of the result is computed as in matmul().
class HeadProducts {
  public:
    HeadProducts(ThreadPool& pool, const Kernels& kernels) : pool_(pool), kernels_(kernels) {}

    // See Backend::matmul_heads; w has one segment per head.
    void run(const PackedMatrix& w, const float* x, HeadStrides x_at, int n, float* out, HeadStrides out_at);

    // Bytes of working memory for n tokens.
    static std::size_t needed(const PackedMatrix& w, int n);

  private:
    ThreadPool& pool_;
    const Kernels& kernels_;
    AlignedBuffer rows_;                // (n_heads, n, cols)
    AlignedBuffer quantized_, floats_;  // their tiles, head after head
};

}  // namespace kvsplit::cpu
