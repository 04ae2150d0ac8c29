// Rows of activations in the forms that the matmul kernels take, and their products with a part of a matrix.
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

// n rows of activations for w, in memory that lies elsewhere: of tile_bytes() bytes, null for a form of which
// that says 0. Rows of one buffer may be taken in several parts: row i's begin at i times the bytes of one
// row. Any number of threads may call prepare() for different shares and then, after all are done,
// multiply().
struct RowTiles {
    const MatmulKernels& kernels;
    const PackedMatrix& w;
    int n;
    std::uint8_t* quantized;
    std::uint8_t* floats;

    // The part-th of n_parts shares of making tiles of x (n, w.cols()).
    void prepare(const float* x, int part, int n_parts) const;
    // Row groups [first_group, first_group + n_groups) of a segment of w times all rows. out: where the
    // segment's row 0 goes for the first of the rows, each next one out_stride further. Adds to what is there
    // with `accumulate`.
    void multiply(const PackedMatrix::Segment& segment, int first_group, int n_groups, float* out,
                  std::ptrdiff_t out_stride, bool accumulate) const;
};

}  // namespace kvsplit::cpu
