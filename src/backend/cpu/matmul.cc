#include "backend/cpu/matmul.h"

#include <algorithm>

#include "backend/cpu/row_tiles.h"
#include "base/check.h"

namespace kvsplit::cpu {

MatmulScratch::Size MatmulScratch::needed(const PackedMatrix& w, int n) { return tile_bytes(w, n); }

// One call of matmul(), seen by all threads of the team.
struct MatmulRun {
    RowTiles rows;
    float* out;
    std::ptrdiff_t out_stride;
    bool accumulate;
    std::atomic<int>& next_chunk;
    int chunk = 1;  // row groups that a thread takes at a time

    MatmulRun(const MatmulKernels& kernels, const PackedMatrix& w, int n, float* to, std::ptrdiff_t stride,
              bool add, int n_threads, MatmulScratch& scratch)
        : rows{kernels, w, n, nullptr, nullptr},
          out(to),
          out_stride(stride),
          accumulate(add),
          next_chunk(scratch.next_chunk_) {
        const MatmulScratch::Size needed = MatmulScratch::needed(w, n);
        scratch.quantized_.reserve(needed.quantized);
        scratch.floats_.reserve(needed.floats);
        if (needed.quantized > 0) rows.quantized = scratch.quantized_.data();
        if (needed.floats > 0) rows.floats = scratch.floats_.data();
        int n_groups = 0;
        for (const PackedMatrix::Segment& s : w.segments()) n_groups += s.n_groups;
        // Small enough to even out threads of unequal speed; with several tiles also to stay in the L2 cache.
        chunk = std::max(1, n_groups / (n_threads * 4));
        if (n > 1) chunk = std::min(chunk, 16);
        next_chunk.store(0, std::memory_order_relaxed);
    }

    void multiply_chunks() const {
        for (;;) {
            // Chunks are numbered through all segments.
            int id = next_chunk.fetch_add(1, std::memory_order_relaxed);
            const PackedMatrix::Segment* found = nullptr;
            for (const PackedMatrix::Segment& s : rows.w.segments()) {
                const int n_chunks = (s.n_groups + chunk - 1) / chunk;
                if (id < n_chunks) {
                    found = &s;
                    break;
                }
                id -= n_chunks;
            }
            if (!found) return;
            rows.multiply(*found, id * chunk, std::min(chunk, found->n_groups - id * chunk),
                          out + found->first_row, out_stride, accumulate);
        }
    }
};

void matmul(ThreadPool& pool, const Kernels& kernels, const PackedMatrix& w, const float* x, int n,
            float* out, std::ptrdiff_t out_stride, bool accumulate, MatmulScratch& scratch) {
    KVSPLIT_CHECK(n >= 0 && w.rows() > 0 && out_stride >= w.rows());
    if (n == 0) return;
    const MatmulRun run(kernels.matmul, w, n, out, out_stride, accumulate, pool.size(), scratch);
    pool.run([&](int thread) {
        run.rows.prepare(x, thread, pool.size());
        pool.barrier();
        run.multiply_chunks();
    });
}

}  // namespace kvsplit::cpu
