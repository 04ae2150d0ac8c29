#include "backend/cpu/parallel_recurrence.h"

#include <algorithm>

namespace kvsplit::cpu {
namespace {

StridedRows from_row(StridedRows rows, int first, std::ptrdiff_t offset = 0) {
    return {rows.data + first * rows.stride + offset, rows.stride};
}

}  // namespace

void Recurrence::convolve(const Convolution& c, std::span<const SequenceRun> runs, StridedRows x,
                          float* out) {
    // Narrower pieces keep more threads busy, wider ones read whole cache lines of a row.
    constexpr int kPiece = 128;
    const int n_pieces = (c.n_channels + kPiece - 1) / kPiece;
    for (const SequenceRun& run : runs) {
        float* tail = run.cache->recurrent().tail(c.layer);
        pool_.for_each(n_pieces, [&](int piece) {
            const int at = piece * kPiece;
            kernels_.convolve({.n_tokens = run.n_tokens,
                               .n_channels = std::min(kPiece, c.n_channels - at),
                               .n_taps = c.n_taps,
                               .weights = c.weights + at,
                               .weight_stride = c.n_channels,
                               .bias = c.bias ? c.bias + at : nullptr,
                               .tail = tail + at,
                               .x = from_row(x, run.first_row, at),
                               .out = out + static_cast<std::ptrdiff_t>(run.first_row) * c.n_channels + at,
                               .out_stride = c.n_channels},
                              c.activation);
        });
    }
}

void Recurrence::state_space(const StateSpace& s, std::span<const SequenceRun> runs, StridedRows x,
                             StridedRows b, StridedRows c, StridedRows dt, float* out) {
    const int n_blocks = blocks_of(s.head_dim), n_channels = s.n_heads * s.head_dim;
    const auto scan = s.per_channel ? kernels_.state_space_per_channel : kernels_.state_space;
    for (const SequenceRun& run : runs) {
        float* states = run.cache->recurrent().state(s.layer);
        pool_.for_each(s.n_heads * n_blocks, [&](int item) {
            const int head = item / n_blocks, block = item % n_blocks;
            const std::ptrdiff_t in_head = block * kRecurrentBlock, at = head * s.head_dim + in_head;
            const std::ptrdiff_t group = head / (s.n_heads / s.n_groups) * s.n_state;
            scan({.n_tokens = run.n_tokens,
                  .width = block_width(s.head_dim, block),
                  .n_state = s.n_state,
                  .x = from_row(x, run.first_row, at),
                  .b = from_row(b, run.first_row, group),
                  .c = from_row(c, run.first_row, group),
                  .dt = from_row(dt, run.first_row, s.per_channel ? at : head),
                  .a = s.a + (s.per_channel ? at : head),
                  .a_stride = n_channels,
                  .d = s.d + at,
                  .state = states + (std::ptrdiff_t{head} * block_stride(s.head_dim) + in_head) * s.n_state,
                  .out = out + static_cast<std::ptrdiff_t>(run.first_row) * n_channels + at,
                  .out_stride = n_channels});
        });
    }
}

void Recurrence::delta_rule(const DeltaRule& d, std::span<const SequenceRun> runs, StridedRows query,
                            StridedRows key, StridedRows value, StridedRows step, StridedRows beta,
                            float* out) {
    const int n_blocks = blocks_of(d.n_value), n_channels = d.n_heads * d.n_value;
    for (const SequenceRun& run : runs) {
        float* states = run.cache->recurrent().state(d.layer);
        pool_.for_each(d.n_heads * n_blocks, [&](int item) {
            const int head = item / n_blocks, block = item % n_blocks;
            const std::ptrdiff_t in_head = block * kRecurrentBlock, at = head * d.n_value + in_head;
            const int group = d.interleaved ? head % d.n_groups : head / (d.n_heads / d.n_groups);
            kernels_.delta_rule(
                {.n_tokens = run.n_tokens,
                 .width = block_width(d.n_value, block),
                 .n_key = d.n_key,
                 .query = from_row(query, run.first_row, std::ptrdiff_t{group} * d.n_key),
                 .key = from_row(key, run.first_row, std::ptrdiff_t{group} * d.n_key),
                 .value = from_row(value, run.first_row, at),
                 .step = from_row(step, run.first_row, head),
                 .beta = from_row(beta, run.first_row, head),
                 .a = d.a[head],
                 .state = states + (std::ptrdiff_t{head} * block_stride(d.n_value) + in_head) * d.n_key,
                 .out = out + static_cast<std::ptrdiff_t>(run.first_row) * n_channels + at,
                 .out_stride = n_channels});
        });
    }
}

}  // namespace kvsplit::cpu
