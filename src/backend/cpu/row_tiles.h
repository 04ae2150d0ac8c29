// Rows of activations in the form of the matmul kernels, and their products with a part of a matrix.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cpu/matmul_kernels.h"
#include "backend/cpu/packed_matrix.h"

namespace kvsplit::cpu {

// Bytes of the tiles of n rows of activations for all segments of w, in each form.
struct TileBytes {
    std::size_t quantized = 0, floats = 0;
    std::size_t total() const { return quantized + floats; }
};
TileBytes tile_bytes(const PackedMatrix& w, int n);

// n rows of activations for w, in memory of the caller: tile_bytes() bytes, null for a form of 0 bytes. A
// buffer may hold several parts; that of row i begins at i times the bytes of one row. Threads may call
// prepare() for different shares at once and then, after all are done, multiply().
struct RowTiles {
    const MatmulKernels& kernels;
    const PackedMatrix& w;
    int n;
    std::uint8_t* quantized;
    std::uint8_t* floats;

    // The part-th of n_parts shares of making tiles of x (n, w.cols()).
    void prepare(const float* x, int part, int n_parts) const;
    // Multiplies row groups [first_group, first_group + n_groups) of a segment of w with all rows. out: the
    // result of the segment's row 0 and the first of the rows; the next row's is out_stride further. With
    // `accumulate` adds to out.
    void multiply(const PackedMatrix::Segment& segment, int first_group, int n_groups, float* out,
                  std::ptrdiff_t out_stride, bool accumulate) const;
};

}  // namespace kvsplit::cpu
