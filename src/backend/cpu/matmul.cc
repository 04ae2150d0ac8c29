#include "backend/cpu/matmul.h"

#include <algorithm>

#include "backend/cpu/row_tiles.h"
#include "base/check.h"

namespace kvsplit::cpu {

MatmulScratch::Size MatmulScratch::needed(const PackedMatrix& w, int n) { return tile_bytes(w, n); }

// One call of matmul().
struct MatmulRun {
    RowTiles rows;
    float* out;
    std::ptrdiff_t out_stride;
    bool accumulate;
    int chunk = 1;     // row groups per item
    int n_chunks = 0;  // in all segments

    MatmulRun(const MatmulKernels& kernels, const PackedMatrix& w, int n, float* to, std::ptrdiff_t stride,
              bool add, int n_threads, MatmulScratch& scratch)
        : rows{kernels, w, n, nullptr, nullptr}, out(to), out_stride(stride), accumulate(add) {
        const MatmulScratch::Size needed = MatmulScratch::needed(w, n);
        scratch.quantized_.reserve(needed.quantized);
        scratch.floats_.reserve(needed.floats);
        if (needed.quantized > 0) rows.quantized = scratch.quantized_.data();
        if (needed.floats > 0) rows.floats = scratch.floats_.data();
        int n_groups = 0;
        for (const PackedMatrix::Segment& s : w.segments()) n_groups += s.n_groups;
        // Small enough to balance threads of unequal speed; with several tiles also to stay in the L2 cache.
        chunk = std::max(1, n_groups / (n_threads * 4));
        if (n > 1) chunk = std::min(chunk, 16);
        for (const PackedMatrix::Segment& s : w.segments()) n_chunks += chunks(s);
    }
    int chunks(const PackedMatrix::Segment& s) const { return (s.n_groups + chunk - 1) / chunk; }

    void multiply(int id) const {
        for (const PackedMatrix::Segment& s : rows.w.segments()) {
            if (id < chunks(s)) {
                return rows.multiply(s, id * chunk, std::min(chunk, s.n_groups - id * chunk),
                                     out + s.first_row, out_stride, accumulate);
            }
            id -= chunks(s);
        }
    }
};

void matmul(ThreadPool& pool, const Kernels& kernels, const PackedMatrix& w, const float* x, int n,
            float* out, std::ptrdiff_t out_stride, bool accumulate, MatmulScratch& scratch) {
    KVSPLIT_CHECK(n >= 0 && w.rows() > 0 && out_stride >= w.rows());
    if (n == 0) return;
    const MatmulRun run(kernels.matmul, w, n, out, out_stride, accumulate, pool.size(), scratch);
    // A single row is rounded before a second thread would start.
    const int parts = n == 1 ? 1 : pool.size();
    pool.for_each(parts, [&](int i) { run.rows.prepare(x, i, parts); });
    pool.for_each(run.n_chunks, [&](int i) { run.multiply(i); });
}

}  // namespace kvsplit::cpu
