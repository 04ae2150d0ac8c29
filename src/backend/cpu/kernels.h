// The table of kernels, one per instruction set. Other code calls kernels through it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/activation.h"
#include "backend/cpu/attention_kernels.h"
#include "backend/cpu/matmul_kernels.h"
#include "backend/cpu/recurrence_kernels.h"
#include "backend/cpu/seal_kernels.h"
#include "base/cpu_features.h"

namespace kvsplit::cpu {

// All pointers are to f32 unless stated; none need alignment. Each row's result depends on that row alone and
// is bit-identical in all sets except portable, which may differ in the last bits (it has no fused
// multiply-add).
struct Kernels {
    CpuIsa isa;

    // out[i] = x[i] * gain[i] / sqrt(mean(x^2) + eps); gain may be null (all ones). out may be x.
    void (*rms_norm)(const float* x, const float* gain, int n, float eps, float* out);
    // out[i] += the same.
    void (*add_rms_norm)(const float* x, const float* gain, int n, float eps, float* out);

    // The same for x - mean(x).
    void (*layer_norm)(const float* x, const float* gain, int n, float eps, float* out);
    void (*add_layer_norm)(const float* x, const float* gain, int n, float eps, float* out);

    // Indexed by Activation. out[i] = f(gate[i]) * up[i]; out may be gate or up.
    void (*gated[kActivations])(const float* gate, const float* up, int n, float* out);
    // x[i] = f(x[i]); null for activations that are always gated.
    void (*activation[kActivations])(int n, float* x);
    void (*xielu)(const Xielu& f, int n, float* x);  // likewise

    void (*add)(const float* x, float factor, int n, float* out);    // out[i] += x[i] * factor
    void (*scale)(const float* x, float factor, int n, float* out);  // out[i] = x[i] * factor; out may be x
    void (*clamp)(float limit, int n, float* x);                     // x[i] = min(max(x[i], -limit), limit)
    void (*soft_cap)(float cap, int n, float* x);                    // x[i] = cap * tanh(x[i] / cap)

    // Rotates the first 2 * n_pairs elements of each of n_heads vectors, in place; head h begins at x + h *
    // stride. cos and sin: (n_pairs). rope_pairs rotates elements (2i, 2i + 1); rope_halves elements (i, i +
    // n_pairs).
    void (*rope_pairs)(float* x, int n_heads, int stride, int n_pairs, const float* cos, const float* sin);
    void (*rope_halves)(float* x, int n_heads, int stride, int n_pairs, const float* cos, const float* sin);

    // Attention, see attention_impl.h and attention_kernels.h.
    void (*attend)(const AttentionShape& shape, const PageRun& run, const QueryTile* tiles,
                   SoftmaxState* states);
    void (*merge_states)(SoftmaxState& into, const SoftmaxState& from, int n_rows, int dim);
    void (*finish_rows)(const codec::HeadShape& head, SoftmaxState& rotated, const SoftmaxState& plain,
                        int n_rows, int group, float* out, std::ptrdiff_t token_stride);
    float (*prepare_query)(const codec::HeadShape& head, const float* q, const float* smoothing,
                           float* rotated, std::int8_t* codes, std::int32_t* sums);
    AppendedSizes (*append_token)(const codec::KvHead& head, const float* key, const float* value, int token,
                                  int bits, std::byte* keys, std::byte* values);
    MatmulKernels matmul;          // see matmul.h
    RecurrenceKernels recurrence;  // see recurrence_kernels.h
    SealKernels seal;              // encoding of pages
};

// The table for `isa`, one of available_isas().
const Kernels& kernels(CpuIsa isa);

}  // namespace kvsplit::cpu
