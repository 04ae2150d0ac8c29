// Matrix products of packed weights with rows of activations.
#pragma once

#include <cstddef>

#include "backend/cpu/aligned_buffer.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/packed_matrix.h"
#include "backend/cpu/row_tiles.h"
#include "base/thread_pool.h"

namespace kvsplit::cpu {

// Working memory of matmul(), grown on demand and reused. One product at a time.
class MatmulScratch {
  public:
    // Bytes that a product needs.
    using Size = TileBytes;
    static Size needed(const PackedMatrix& w, int n);

    std::size_t bytes() const { return quantized_.size() + floats_.size(); }

  private:
    friend struct MatmulRun;
    AlignedBuffer quantized_;  // activations as int8 or int16 with scales, in tiles
    AlignedBuffer floats_;     // activations as f32, in tiles
};

// out[i][r] = sum over k of w[r][k] * x[i][k], or += with `accumulate`.
//   x:   (n, cols) f32, dense
//   out: (n, rows) f32, row i at out + i * out_stride
// Activations are rounded as w.activations() says, except for float weights, which are multiplied with f32.
// Each element of out is computed by one fixed sequence of operations over k, whatever n, the tiling and the
// number of threads: results are bit-identical for every split of a batch.
void matmul(ThreadPool& pool, const Kernels& kernels, const PackedMatrix& w, const float* x, int n,
            float* out, std::ptrdiff_t out_stride, bool accumulate, MatmulScratch& scratch);

}  // namespace kvsplit::cpu
