// The products of a mixture of experts on the CPU: each token with its chosen experts.
//
// Tokens are sorted by expert, so an expert's weights are read once for all its tokens, and unused experts
// are not read. A token's results are added in the order of its experts, best first, so results depend
// neither on other tokens nor on threads.
#pragma once

#include <cstddef>
#include <vector>

#include "backend/cpu/aligned_buffer.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/packed_matrix.h"
#include "backend/cpu/routing.h"
#include "backend/cpu/row_tiles.h"
#include "base/thread_pool.h"

namespace kvsplit::cpu {

// A Mixture whose matrices are packed: an expert's segments follow those of the one before.
struct PackedMixture {
    const Mixture& mixture;
    const PackedMatrix& up;
    const PackedMatrix& down;

    int n_experts() const { return mixture.routing.n_experts; }
    int n_used() const { return mixture.routing.n_used; }
    int n_embd() const { return up.cols(); }
    int n_ff() const { return down.cols(); }
    int up_parts() const { return mixture.gated ? 2 : 1; }  // gate and up, or up alone
    int up_width() const { return up_parts() * n_ff(); }
};

// Working memory grows on demand. One call at a time.
class Experts {
  public:
    Experts(ThreadPool& pool, const Kernels& kernels) : pool_(pool), kernels_(kernels) {}

    // out (n, n_embd) = sum over a token's experts of weight * (down (f(gate x) * (up x)) + bias).
    // logits: (n, n_experts); x: (n, n_embd), may be out.
    void run(const PackedMixture& mixture, const float* logits, const float* x, int n, float* out);

    // Bytes of working memory for n tokens.
    static std::size_t needed(const PackedMixture& mixture, int n);

  private:
    // A token with one of its experts: a row of the sorted activations.
    struct Visit {
        int token;
        int expert;
        float weight;
    };
    // Consecutive visits of one expert.
    struct Share {
        int expert;
        int first;  // visit
        int n;
    };
    // Row groups of one segment of a share's expert.
    struct Item {
        const Share* share;
        const PackedMatrix::Segment* segment;
        int first_group, n_groups;
    };

    void reserve(const PackedMixture& m, int n);
    void choose(const PackedMixture& m, const float* logits, int n);
    void sort_by_expert(const PackedMixture& m, int n);
    void run_batch(const PackedMixture& m, const float* x);
    void prepare(const PackedMatrix& w, const float* rows);
    void multiply(const PackedMixture& m, const PackedMatrix& w, float* out);
    const float* activate(const PackedMixture& m, int n_visits);
    void sum(const PackedMixture& m, int n, float* out);
    RowTiles tiles(const PackedMatrix& w, const Share& share);

    ThreadPool& pool_;
    const Kernels& kernels_;
    std::vector<float> gates_;          // (n, 2 n_experts)
    std::vector<ChosenExpert> chosen_;  // (n, n_used)
    std::vector<Visit> visits_;         // (n * n_used) sorted by expert, then by token
    std::vector<int> place_;            // (n, n_used) index of the visit
    std::vector<Share> all_, shares_;   // of all visits; of the current batch
    std::vector<Item> items_;
    AlignedBuffer rows_;                // (batch, n_embd)
    AlignedBuffer gate_up_;             // (batch, up_width)
    AlignedBuffer gated_;               // (batch, n_ff), with gates
    AlignedBuffer results_;             // (n * n_used, n_embd)
    AlignedBuffer quantized_, floats_;  // tiles of rows_ or gated_, by share
    TileBytes tile_bytes_;              // of one row
};

}  // namespace kvsplit::cpu
