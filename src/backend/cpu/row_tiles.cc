#include "backend/cpu/row_tiles.h"

#include <algorithm>

namespace kvsplit::cpu {
namespace {

bool uses_integers(const PackedMatrix& w, PackedFormat format) {
    return w.activations() != Activations::kF32 && is_integer(format);
}

bool wide(const PackedMatrix& w) { return w.activations() == Activations::kInt16; }
int record_bytes(const PackedMatrix& w) { return wide(w) ? kInt16RecordBytes : kInt8RecordBytes; }
const MatmulKernels::Tiles& integer_tiles(const MatmulKernels& kernels, const PackedMatrix& w) {
    return wide(w) ? kernels.int16 : kernels.int8;
}

// fn(tile kind, first row) for each tile of n rows.
template <typename F>
void for_tiles(const MatmulKernels::Tiles& tiles, int rows, F fn) {
    int first = 0;
    for (int s = 0; s < tiles.n_sizes; ++s) {
        const MatmulKernels::Tile& tile = tiles.tile[s];
        for (; rows - first >= tile.size; first += tile.size) fn(tile, first);
    }
}

// Calls fn(first row of a tile, its size, g0, g1) for a part's share of all (tile, k-group) pairs.
template <typename F>
void for_share(const MatmulKernels::Tiles& tiles, int rows, std::int64_t k_groups, int part, int n_parts,
               F fn) {
    std::int64_t n_tiles = 0;
    for_tiles(tiles, rows, [&](const auto&, int) { ++n_tiles; });
    const std::int64_t begin = n_tiles * k_groups * part / n_parts;
    const std::int64_t end = n_tiles * k_groups * (part + 1) / n_parts;
    std::int64_t at = 0;
    for_tiles(tiles, rows, [&](const MatmulKernels::Tile& tile, int first) {
        const int g0 = static_cast<int>(std::clamp<std::int64_t>(begin - at, 0, k_groups));
        const int g1 = static_cast<int>(std::clamp<std::int64_t>(end - at, 0, k_groups));
        at += k_groups;
        if (g0 < g1) fn(first, tile.size, g0, g1);
    });
}

std::size_t tile_offset(const PackedMatrix& w, int first, int record_bytes) {
    return static_cast<std::size_t>(first) * static_cast<std::size_t>(w.k_groups()) *
           static_cast<std::size_t>(record_bytes);
}

}  // namespace

TileBytes tile_bytes(const PackedMatrix& w, int n) {
    TileBytes bytes;
    for (const PackedMatrix::Segment& s : w.segments()) {
        if (uses_integers(w, s.format)) {
            bytes.quantized = tile_offset(w, n, record_bytes(w));
        } else {
            bytes.floats = tile_offset(w, n, kF32RecordBytes);
        }
    }
    return bytes;
}

void RowTiles::prepare(const float* x, int part, int n_parts) const {
    const std::ptrdiff_t cols = w.cols();
    if (quantized) {
        const auto quantize = wide(w) ? kernels.quantize_int16 : kernels.quantize_int8;
        for_share(integer_tiles(kernels, w), n, w.k_groups(), part, n_parts,
                  [&](int first, int nc, int g0, int g1) {
                      quantize(x + first * cols, cols, nc, g0, g1,
                               quantized + tile_offset(w, first, record_bytes(w)));
                  });
    }
    if (floats) {
        for_share(kernels.f32, n, w.k_groups(), part, n_parts, [&](int first, int nc, int g0, int g1) {
            kernels.gather(x + first * cols, cols, nc, w.cols(), g0, g1,
                           floats + tile_offset(w, first, kF32RecordBytes));
        });
    }
}

void RowTiles::multiply(const PackedMatrix::Segment& s, int first_group, int n_groups, float* out,
                        std::ptrdiff_t out_stride, bool accumulate) const {
    const bool integers = uses_integers(w, s.format);
    const int row = first_group * kRowGroup;
    MatmulTask task{};
    task.codes = s.codes + s.code_stride * static_cast<std::size_t>(first_group);
    task.scales = s.scales + s.scale_stride * static_cast<std::size_t>(first_group);
    task.code_stride = s.code_stride;
    task.scale_stride = s.scale_stride;
    task.out_stride = out_stride;
    task.n_groups = n_groups;
    task.k_groups = w.k_groups();
    task.rows = std::min(s.rows - row, n_groups * kRowGroup);
    task.accumulate = accumulate;
    const auto& tiles = integers ? integer_tiles(kernels, w) : kernels.f32;
    for_tiles(tiles, n, [&](const MatmulKernels::Tile& tile, int first) {
        task.tile = integers ? quantized + tile_offset(w, first, record_bytes(w))
                             : floats + tile_offset(w, first, kF32RecordBytes);
        task.out = out + first * out_stride + row;
        tile.product[static_cast<std::size_t>(s.format)](task);
    });
}

}  // namespace kvsplit::cpu
