// Norms, activations, rotary embeddings: one row per call. Part of a kernel translation unit (simd.h).
#pragma once

#include "backend/activation.h"
#include "backend/cpu/simd/simd.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

// Calls op(i, n) for blocks of n <= 16 elements from i.
template <typename Op>
KVSPLIT_INLINE void for_blocks(int n, Op op) {
    int i = 0;
    for (; i + 16 <= n; i += 16) op(i, 16);
    if (i < n) op(i, n - i);
}
KVSPLIT_INLINE f32x16 load_block(const float* p, int n) { return n == 16 ? load(p) : load_first(p, n); }
KVSPLIT_INLINE void store_block(float* p, f32x16 a, int n) {
    if (n == 16) {
        store(p, a);
    } else {
        store_first(p, a, n);
    }
}

template <bool accumulate>
void rms_norm(const float* x, const float* gain, int n, float eps, float* out) {
    f32x16 sum = zero_f32();
    for_blocks(n, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
        const f32x16 a = load_block(x + i, m);
        sum = fmadd(a, a, sum);
    });
    const float mean = reduce_add(sum) / static_cast<float>(n);
    const f32x16 factor = set1(1.0f) / sqrt(set1(mean + eps));
    for_blocks(n, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
        f32x16 y = load_block(x + i, m) * factor;
        if (gain) y = y * load_block(gain + i, m);
        if constexpr (accumulate) y = load_block(out + i, m) + y;
        store_block(out + i, y, m);
    });
}

template <bool accumulate>
void layer_norm(const float* x, const float* gain, int n, float eps, float* out) {
    f32x16 sum = zero_f32();
    for_blocks(n, [&](int i, int m) KVSPLIT_LAMBDA_INLINE { sum = sum + load_block(x + i, m); });
    const f32x16 mean = set1(reduce_add(sum) / static_cast<float>(n));
    f32x16 squares = zero_f32();
    for_blocks(n, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
        const f32x16 a = select(mask_first(m), load_block(x + i, m) - mean, zero_f32());
        squares = fmadd(a, a, squares);
    });
    const float variance = reduce_add(squares) / static_cast<float>(n);
    const f32x16 factor = set1(1.0f) / sqrt(set1(variance + eps));
    for_blocks(n, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
        f32x16 y = (load_block(x + i, m) - mean) * factor;
        if (gain) y = y * load_block(gain + i, m);
        if constexpr (accumulate) y = load_block(out + i, m) + y;
        store_block(out + i, y, m);
    });
}

template <f32x16 activation(f32x16)>
void activate(int n, float* x) {
    for_blocks(n, [&](int i, int m)
                      KVSPLIT_LAMBDA_INLINE { store_block(x + i, activation(load_block(x + i, m)), m); });
}

template <f32x16 activation(f32x16)>
void gated(const float* gate, const float* up, int n, float* out) {
    for_blocks(n, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
        store_block(out + i, activation(load_block(gate + i, m)) * load_block(up + i, m), m);
    });
}

// The activation of gpt-oss.
void gated_swiglu_clamped(const float* gate, const float* up, int n, float* out) {
    const f32x16 limit = set1(7.0f), slope = set1(1.702f), one = set1(1.0f);
    for_blocks(n, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
        const f32x16 g = min(limit, load_block(gate + i, m));
        const f32x16 u = max(set1(-7.0f), min(limit, load_block(up + i, m)));
        store_block(out + i, (u + one) * (g * sigmoid(g * slope)), m);
    });
}

void xielu(const Xielu& f, int n, float* x) {
    const f32x16 alpha_p = set1(f.alpha_p), alpha_n = set1(f.alpha_n), beta = set1(f.beta);
    for_blocks(n, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
        const f32x16 a = load_block(x + i, m);
        const f32x16 negative = alpha_n * (exp(min(a, set1(f.eps))) - set1(1.0f) - a);
        const f32x16 curved = select(lt(zero_f32(), a), alpha_p * a * a, negative);
        store_block(x + i, fmadd(beta, a, curved), m);
    });
}

void add(const float* x, float factor, int n, float* out) {
    for_blocks(n, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
        store_block(out + i, fmadd(load_block(x + i, m), set1(factor), load_block(out + i, m)), m);
    });
}

void clamp(float limit, int n, float* x) {
    for_blocks(n, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
        store_block(x + i, max(set1(-limit), min(set1(limit), load_block(x + i, m))), m);
    });
}

void soft_cap(float cap, int n, float* x) {
    const f32x16 inverse = set1(1.0f / cap);
    for_blocks(n, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
        store_block(x + i, set1(cap) * tanh(load_block(x + i, m) * inverse), m);
    });
}

void scale(const float* x, float factor, int n, float* out) {
    for_blocks(n, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
        store_block(out + i, load_block(x + i, m) * set1(factor), m);
    });
}

// Rotates pairs (a, b) to (a cos - b sin, b cos + a sin).
void rope_halves(float* x, int n_heads, int stride, int n_pairs, const float* cos, const float* sin) {
    for_blocks(n_pairs, [&](int i, int m) KVSPLIT_LAMBDA_INLINE {
        const f32x16 c = load_block(cos + i, m), s = load_block(sin + i, m);
        for (int h = 0; h < n_heads; ++h) {
            float* head = x + static_cast<std::ptrdiff_t>(h) * stride + i;
            const f32x16 a = load_block(head, m), b = load_block(head + n_pairs, m);
            store_block(head, fnmadd(b, s, a * c), m);
            store_block(head + n_pairs, fmadd(a, s, b * c), m);
        }
    });
}

void rope_pairs(float* x, int n_heads, int stride, int n_pairs, const float* cos, const float* sin) {
    alignas(64) float sign[16];
    for (int i = 0; i < 16; ++i) sign[i] = i % 2 ? 1.0f : -1.0f;
    for (int i = 0; i < n_pairs; i += 8) {
        const int pairs = n_pairs - i < 8 ? n_pairs - i : 8;
        alignas(64) float c2[16] = {}, s2[16] = {};  // each value twice, one for each element of its pair
        for (int j = 0; j < pairs; ++j) {
            c2[2 * j] = c2[2 * j + 1] = cos[i + j];
            s2[2 * j] = s2[2 * j + 1] = sin[i + j];
        }
        const f32x16 c = load(c2), s = load(s2) * load(sign);
        for (int h = 0; h < n_heads; ++h) {
            float* head = x + static_cast<std::ptrdiff_t>(h) * stride + 2 * i;
            const f32x16 a = load_block(head, 2 * pairs);
            store_block(head, fmadd(swap_lanes<1>(a), s, a * c), 2 * pairs);
        }
    }
}

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
