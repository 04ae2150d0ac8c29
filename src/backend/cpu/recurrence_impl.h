// Recurrences over the tokens of one sequence, see recurrence_kernels.h. Part of a kernel translation unit
// (simd.h).
#pragma once

#include "backend/cpu/elementwise_impl.h"
#include "backend/cpu/recurrence_kernels.h"
#include "backend/cpu/simd/simd.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

void softplus_biased(const float* x, const float* bias, int n, float* out) {
    for_blocks(n, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
        store_block(out + i, softplus(load_block(x + i, m) + load_block(bias + i, m)), m);
    });
}

template <f32x16 activation(f32x16)>
KVSPLIT_INLINE void convolve_with(const ConvolutionBlock& block) {
    const int n_past = block.n_taps - 1;
    for (int t = 0; t < block.n_tokens; ++t) {
        float* out = block.out + t * block.out_stride;
        for_blocks(block.n_channels, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
            f32x16 sum = block.bias ? load_block(block.bias + i, m) : zero_f32();
            for (int j = 0; j <= n_past; ++j) {
                const int from = t - n_past + j;  // before the run: in the tail
                const float* x =
                    from < 0 ? block.tail + (from + n_past) * block.weight_stride : block.x.row(from);
                sum = fmadd(load_block(block.weights + j * block.weight_stride + i, m), load_block(x + i, m),
                            sum);
            }
            store_block(out + i, activation(sum), m);
        });
    }
    for (int j = 0; j < n_past; ++j) {
        const int from = block.n_tokens - n_past + j;
        const float* x = from < 0 ? block.tail + (from + n_past) * block.weight_stride : block.x.row(from);
        float* tail = block.tail + j * block.weight_stride;
        for_blocks(block.n_channels, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
            store_block(tail + i, load_block(x + i, m), m);
        });
    }
}

void convolve(const ConvolutionBlock& block, Activation f) {
    if (f == Activation::kSilu) {
        convolve_with<silu>(block);
    } else {
        convolve_with<identity>(block);
    }
}

// The channels of a block as vectors; the last may be partly filled.
template <int vectors>
struct ChannelBlock {
    f32x16 v[vectors];
};
template <int vectors>
KVSPLIT_INLINE ChannelBlock<vectors> load_channel_block(const float* p, int width) {
    ChannelBlock<vectors> c;
    for (int i = 0; i < vectors - 1; ++i) c.v[i] = load(p + 16 * i);
    c.v[vectors - 1] = load_block(p + 16 * (vectors - 1), width - 16 * (vectors - 1));
    return c;
}
template <int vectors>
KVSPLIT_INLINE void store_channel_block(float* p, const ChannelBlock<vectors>& c, int width) {
    for (int i = 0; i < vectors - 1; ++i) store(p + 16 * i, c.v[i]);
    store_block(p + 16 * (vectors - 1), c.v[vectors - 1], width - 16 * (vectors - 1));
}

template <int vectors, bool per_channel>
void scan_states(const StateSpaceBlock& block) {
    for (int t = 0; t < block.n_tokens; ++t) {
        const ChannelBlock<vectors> x = load_channel_block<vectors>(block.x.row(t), block.width);
        const ChannelBlock<vectors> d = load_channel_block<vectors>(block.d, block.width);
        ChannelBlock<vectors> dt, dt_x, out;
        if constexpr (per_channel) dt = load_channel_block<vectors>(block.dt.row(t), block.width);
        f32x16 head_decay = zero_f32();
        if constexpr (!per_channel) {
            for (int i = 0; i < vectors; ++i) dt.v[i] = set1(block.dt.row(t)[0]);
            head_decay = exp(dt.v[0] * set1(block.a[0]));
        }
        for (int i = 0; i < vectors; ++i) {
            dt_x.v[i] = dt.v[i] * x.v[i];
            out.v[i] = d.v[i] * x.v[i];
        }
        const float *b = block.b.row(t), *c = block.c.row(t);
        for (int s = 0; s < block.n_state; ++s) {
            float* state = block.state + s * (16 * vectors);
            const f32x16 bs = set1(b[s]), cs = set1(c[s]);
            ChannelBlock<vectors> a;
            if constexpr (per_channel)
                a = load_channel_block<vectors>(block.a + s * block.a_stride, block.width);
            for (int i = 0; i < vectors; ++i) {
                f32x16 decay = head_decay;
                if constexpr (per_channel) decay = exp(dt.v[i] * a.v[i]);
                const f32x16 next = fmadd(dt_x.v[i], bs, load(state + 16 * i) * decay);
                store(state + 16 * i, next);
                out.v[i] = fmadd(next, cs, out.v[i]);
            }
        }
        store_channel_block<vectors>(block.out + t * block.out_stride, out, block.width);
    }
}

template <int vectors>
void scan_delta(const DeltaBlock& block) {
    for (int t = 0; t < block.n_tokens; ++t) {
        const f32x16 decay = exp(set1(block.a * block.step.row(t)[0]));
        const f32x16 beta = sigmoid(set1(block.beta.row(t)[0]));
        const float *query = block.query.row(t), *key = block.key.row(t);
        ChannelBlock<vectors> held;  // the state's value for this key
        for (int i = 0; i < vectors; ++i) held.v[i] = zero_f32();
        for (int k = 0; k < block.n_key; ++k) {
            const float* state = block.state + k * (16 * vectors);
            const f32x16 factor = set1(key[k]);
            for (int i = 0; i < vectors; ++i) held.v[i] = fmadd(load(state + 16 * i), factor, held.v[i]);
        }
        const ChannelBlock<vectors> value = load_channel_block<vectors>(block.value.row(t), block.width);
        ChannelBlock<vectors> change, out;
        for (int i = 0; i < vectors; ++i) {
            change.v[i] = fnmadd(held.v[i], decay, value.v[i]) * beta;
            out.v[i] = zero_f32();
        }
        for (int k = 0; k < block.n_key; ++k) {
            float* state = block.state + k * (16 * vectors);
            const f32x16 factor = set1(key[k]), wanted = set1(query[k]);
            for (int i = 0; i < vectors; ++i) {
                const f32x16 next = fmadd(change.v[i], factor, load(state + 16 * i) * decay);
                store(state + 16 * i, next);
                out.v[i] = fmadd(next, wanted, out.v[i]);
            }
        }
        store_channel_block<vectors>(block.out + t * block.out_stride, out, block.width);
    }
}

template <int n>
struct Vectors {
    static constexpr int count = n;
};
// f(Vectors<n>), where n vectors hold the channels of a block.
template <typename F>
KVSPLIT_INLINE void with_vectors(int width, F f) {
    switch (block_stride(width) / 16) {
        case 1:
            return f(Vectors<1>{});
        case 2:
            return f(Vectors<2>{});
        case 3:
            return f(Vectors<3>{});
        default:
            return f(Vectors<4>{});
    }
}

template <bool per_channel>
void state_space(const StateSpaceBlock& block) {
    with_vectors(block.width, [&](auto vectors) { scan_states<vectors.count, per_channel>(block); });
}

void delta_rule(const DeltaBlock& block) {
    with_vectors(block.width, [&](auto vectors) { scan_delta<vectors.count>(block); });
}

constexpr RecurrenceKernels recurrence_kernels() {
    return {.convolve = convolve,
            .state_space = state_space<false>,
            .state_space_per_channel = state_space<true>,
            .delta_rule = delta_rule,
            .softplus = softplus_biased};
}

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
