#include "backend/cpu/head_products.h"

#include <algorithm>
#include <cstring>

namespace kvsplit::cpu {
namespace {

int heads_of(const PackedMatrix& w) { return static_cast<int>(w.segments().size()); }

std::size_t row_bytes(const PackedMatrix& w, int n) {
    return static_cast<std::size_t>(heads_of(w) * n) * static_cast<std::size_t>(w.cols()) * sizeof(float);
}

}  // namespace

std::size_t HeadProducts::needed(const PackedMatrix& w, int n) {
    return row_bytes(w, n) + tile_bytes(w, heads_of(w) * n).total();
}

void HeadProducts::run(const PackedMatrix& w, const float* x, HeadStrides x_at, int n, float* out,
                       HeadStrides out_at) {
    const int n_heads = heads_of(w);
    const TileBytes bytes = tile_bytes(w, n), all = tile_bytes(w, n_heads * n);
    rows_.reserve(row_bytes(w, n));
    quantized_.reserve(all.quantized);
    floats_.reserve(all.floats);
    const auto tiles = [&](int head) {
        const auto h = static_cast<std::size_t>(head);
        return RowTiles{kernels_.matmul, w, n,
                        bytes.quantized > 0 ? quantized_.data() + h * bytes.quantized : nullptr,
                        bytes.floats > 0 ? floats_.data() + h * bytes.floats : nullptr};
    };
    const std::ptrdiff_t cols = w.cols();
    pool_.for_each(n_heads, [&](int h) {
        float* rows = reinterpret_cast<float*>(rows_.data()) + h * n * cols;
        for (int i = 0; i < n; ++i)
            std::memcpy(rows + i * cols, x + i * x_at.row + h * x_at.head,
                        static_cast<std::size_t>(cols) * sizeof(float));
        tiles(h).prepare(rows, 0, 1);
    });
    // A head's matrix is small: one piece per head unless there are more threads than heads.
    const int n_groups = w.segments()[0].n_groups;
    const int pieces = std::clamp(2 * pool_.size() / n_heads, 1, n_groups);
    pool_.for_each(n_heads * pieces, [&](int i) {
        const int h = i / pieces, first = i % pieces * n_groups / pieces,
                  end = (i % pieces + 1) * n_groups / pieces;
        tiles(h).multiply(w.segments()[static_cast<std::size_t>(h)], first, end - first,
                          out + h * out_at.head, out_at.row, false);
    });
}

}  // namespace kvsplit::cpu
