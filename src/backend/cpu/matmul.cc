#include "backend/cpu/matmul.h"

#include <algorithm>

#include "base/check.h"

namespace kvsplit::cpu {
namespace {

bool uses_int8(const PackedMatrix& w, PackedFormat format) {
    return w.activations() != Activations::kF32 && is_integer(format);
}

// Rows of the int8 form for one row of x.
std::size_t digits(const PackedMatrix& w) { return w.activations() == Activations::kInt16 ? 2 : 1; }

}  // namespace

MatmulScratch::Size MatmulScratch::needed(const PackedMatrix& w, int n) {
    const std::size_t records = static_cast<std::size_t>(n) * static_cast<std::size_t>(w.k_groups());
    Size size;
    for (const PackedMatrix::Segment& s : w.segments()) {
        if (uses_int8(w, s.format)) {
            size.quantized = records * digits(w) * kInt8RecordBytes;
        } else {
            size.floats = records * kF32RecordBytes;
        }
    }
    return size;
}

// One call of matmul(), seen by all threads of the team.
struct MatmulRun {
    const MatmulKernels& kernels;
    const PackedMatrix& w;
    const float* x;
    int n;
    float* out;
    std::ptrdiff_t out_stride;
    bool accumulate;
    MatmulScratch& scratch;
    bool int8 = false, f32 = false;  // forms of the activations that the segments need
    int chunk = 1;                   // row groups that a thread takes at a time
    const bool pairs = w.activations() == Activations::kInt16;

    // Rows of the int8 form for one row of x.
    int digits() const { return pairs ? 2 : 1; }

    void prepare(int n_threads) {
        int n_groups = 0;
        for (const PackedMatrix::Segment& s : w.segments()) n_groups += s.n_groups;
        const MatmulScratch::Size needed = MatmulScratch::needed(w, n);
        scratch.quantized_.reserve(needed.quantized);
        scratch.floats_.reserve(needed.floats);
        int8 = needed.quantized > 0;
        f32 = needed.floats > 0;
        // Small enough to even out threads of unequal speed; with several tiles also to stay in the L2 cache.
        chunk = std::max(1, n_groups / (n_threads * 4));
        if (n > 1) chunk = std::min(chunk, 16);
        scratch.next_chunk_.store(0, std::memory_order_relaxed);
    }

    // fn(tile kind, first row) of so many rows. All sizes but the last, 1, are even, and so are the tiles of
    // an even number of rows.
    template <typename F>
    static void for_tiles(const MatmulKernels::Tiles& tiles, int rows, F fn) {
        int first = 0;
        for (int s = 0; s < tiles.n_sizes; ++s) {
            const MatmulKernels::Tile& tile = tiles.tile[s];
            for (; rows - first >= tile.size; first += tile.size) fn(tile, first);
        }
    }

    std::size_t tile_offset(int first, int record_bytes) const {
        return static_cast<std::size_t>(first) * static_cast<std::size_t>(w.k_groups()) *
               static_cast<std::size_t>(record_bytes);
    }

    // fn(first row of a tile, its size, g0, g1): thread's share of all (tile, k-group) pairs.
    template <typename F>
    void for_share(const MatmulKernels::Tiles& tiles, int rows, int thread, int n_threads, F fn) const {
        const std::int64_t k_groups = w.k_groups();
        std::int64_t n_tiles = 0;
        for_tiles(tiles, rows, [&](const auto&, int) { ++n_tiles; });
        const std::int64_t begin = n_tiles * k_groups * thread / n_threads;
        const std::int64_t end = n_tiles * k_groups * (thread + 1) / n_threads;
        std::int64_t at = 0;
        for_tiles(tiles, rows, [&](const MatmulKernels::Tile& tile, int first) {
            const int g0 = static_cast<int>(std::clamp<std::int64_t>(begin - at, 0, k_groups));
            const int g1 = static_cast<int>(std::clamp<std::int64_t>(end - at, 0, k_groups));
            at += k_groups;
            if (g0 < g1) fn(first, tile.size, g0, g1);
        });
    }

    void prepare_activations(int thread, int n_threads) const {
        const std::ptrdiff_t cols = w.cols();
        if (int8) {
            for_share(kernels.int8, n * digits(), thread, n_threads, [&](int first, int nc, int g0, int g1) {
                kernels.quantize(x + first / digits() * cols, cols, nc, pairs, g0, g1,
                                 scratch.quantized_.data() + tile_offset(first, kInt8RecordBytes));
            });
        }
        if (f32) {
            for_share(kernels.f32, n, thread, n_threads, [&](int first, int nc, int g0, int g1) {
                kernels.gather(x + first * cols, cols, nc, w.cols(), g0, g1,
                               scratch.floats_.data() + tile_offset(first, kF32RecordBytes));
            });
        }
    }

    // Row groups [first_group, first_group + n_groups) of a segment times all of x.
    void multiply(const PackedMatrix::Segment& s, int first_group, int n_groups) const {
        const bool quantized = uses_int8(w, s.format);
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
        task.pairs = quantized && pairs;
        const int tile_rows = quantized ? digits() : 1;
        for_tiles(quantized ? kernels.int8 : kernels.f32, n * tile_rows,
                  [&](const MatmulKernels::Tile& tile, int first) {
                      task.tile = quantized ? scratch.quantized_.data() + tile_offset(first, kInt8RecordBytes)
                                            : scratch.floats_.data() + tile_offset(first, kF32RecordBytes);
                      task.out = out + first / tile_rows * out_stride + s.first_row + row;
                      tile.product[static_cast<std::size_t>(s.format)](task);
                  });
    }

    void multiply_chunks() const {
        for (;;) {
            // Chunks are numbered through all segments.
            int id = scratch.next_chunk_.fetch_add(1, std::memory_order_relaxed);
            const PackedMatrix::Segment* found = nullptr;
            for (const PackedMatrix::Segment& s : w.segments()) {
                const int n_chunks = (s.n_groups + chunk - 1) / chunk;
                if (id < n_chunks) {
                    found = &s;
                    break;
                }
                id -= n_chunks;
            }
            if (!found) return;
            multiply(*found, id * chunk, std::min(chunk, found->n_groups - id * chunk));
        }
    }
};

void matmul(ThreadPool& pool, const Kernels& kernels, const PackedMatrix& w, const float* x, int n,
            float* out, std::ptrdiff_t out_stride, bool accumulate, MatmulScratch& scratch) {
    KVSPLIT_CHECK(n >= 0 && w.rows() > 0 && out_stride >= w.rows());
    if (n == 0) return;
    MatmulRun run{kernels.matmul, w, x, n, out, out_stride, accumulate, scratch};
    run.prepare(pool.size());
    pool.run([&](int thread) {
        run.prepare_activations(thread, pool.size());
        pool.barrier();
        run.multiply_chunks();
    });
}

}  // namespace kvsplit::cpu
