// The interface of matmul() and its kernels: tiles of activations, and a kernel's task.
//
// Rows of activations are grouped in tiles of `nc` rows (one of the sizes of MatmulKernels::Tiles). A tile is
// a sequence of records, one per k-group of 32 columns; it begins at (rows before it) * (row bytes) in its
// buffer.
//   int8 record: i8 q[nc][32], f32 scale[nc], f32 scaled_sum[nc], i32 neg_sum[nc], i32 neg_half[2][nc]
//     x ~ scale * q; scaled_sum = scale * (sum of q); neg_sum = -(sum of q), neg_half the same per 16 columns
//   int16 record: i8 high[nc][32] and then the same with i8 low[nc][32] for q
//     x ~ scale * q, q = 256 * high + low; the sums are those of q. A set with quick products of words has
//     i16 q[nc][32] in place of both, columns 4u, 4u + 2, 4u + 1, 4u + 3 in succession.
//   f32 record:  f32 x[nc][32]; columns beyond the matrix are 0
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cpu/packed_format.h"

namespace kvsplit::cpu {

inline constexpr int kInt8RecordBytes = 52;  // per row of activations
inline constexpr int kInt16RecordBytes = 84;
inline constexpr int kF32RecordBytes = 128;

// A run of row groups times one tile.
struct MatmulTask {
    const std::uint8_t* codes;
    const std::uint8_t* scales;
    std::size_t code_stride;  // bytes from one row group to the next
    std::size_t scale_stride;
    const std::uint8_t* tile;
    float* out;  // out[c * out_stride + r]: row r of the run, column c of the tile
    std::ptrdiff_t out_stride;
    int n_groups;
    int k_groups;
    int rows;         // in the run; the last group may be partly padding
    bool accumulate;  // out +=
};

struct MatmulKernels {
    using Product = void (*)(const MatmulTask&);

    struct Tile {
        int size;                         // rows of activations
        Product product[kPackedFormats];  // null for float formats among the integer products
    };
    struct Tiles {
        int n_sizes;
        Tile tile[8];  // sizes descend; the last is 1
    };
    Tiles int8, int16, f32;

    // k-groups [g0, g1) of nc rows of x (x_stride elements apart) into an int8 or int16 tile.
    using Quantize = void (*)(const float* x, std::ptrdiff_t x_stride, int nc, int g0, int g1,
                              std::uint8_t* tile);
    Quantize quantize_int8, quantize_int16;
    // The same for an f32 tile; cols may end inside the last k-group.
    void (*gather)(const float* x, std::ptrdiff_t x_stride, int nc, int cols, int g0, int g1,
                   std::uint8_t* tile);
};

}  // namespace kvsplit::cpu
