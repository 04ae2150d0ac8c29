// Work on single rows before and after attention: rotating and rounding queries, appending tokens to open
// pages, turning sums into outputs. Part of a kernel translation unit (simd.h).
#pragma once

#include "backend/cpu/attention_kernels.h"
#include "backend/cpu/simd/simd.h"
#include "backend/cpu/softmax_impl.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

// -1 in lanes whose index has bit h set, else 1.
struct LaneSigns {
    alignas(64) float sign[16] = {};
    constexpr explicit LaneSigns(int h) {
        for (int i = 0; i < 16; ++i) sign[i] = i & h ? -1.0f : 1.0f;
    }
};
// One stage of the transform within a vector: lanes i and i + h become their sum and their difference.
template <int h>
KVSPLIT_INLINE f32x16 hadamard_stage(f32x16 x) {
    static constexpr LaneSigns kSigns(h);
    return fmadd(x, load(kSigns.sign), swap_lanes<h>(x));
}

// The stages that pair elements less than 16 apart.
KVSPLIT_INLINE void hadamard_near(float* x, int n, int size) {
    if (size >= 16) {
        for (int i = 0; i < n; i += 16) {
            const f32x16 v = hadamard_stage<2>(hadamard_stage<1>(load(x + i)));
            store(x + i, hadamard_stage<8>(hadamard_stage<4>(v)));
        }
        return;
    }
    for (int h = 1; h < size; h *= 2) {
        for (int i = 0; i < n; ++i) {
            if (i & h) continue;
            const float u = x[i], v = x[i + h];
            x[i] = u + v;
            x[i + h] = u - v;
        }
    }
}

// x[n] in blocks of `size`, orthonormal; n is a multiple of 16.
inline void hadamard(float* x, int n, int size) {
    hadamard_near(x, n, size);
    for (int h = 16; h < size; h *= 2) {
        for (int i = 0; i < n; i += 2 * h) {
            for (int j = i; j < i + h; j += 16) {
                const f32x16 u = load(x + j), v = load(x + j + h);
                store(x + j, u + v);
                store(x + j + h, u - v);
            }
        }
    }
    const float norm = 1.0f / __builtin_sqrtf(static_cast<float>(size));
    for (int i = 0; i < n; i += 16) store(x + i, load(x + i) * set1(norm));
}

// One query row, the channels of one shape: q (head_dim) already scaled; smoothing (padded_dim), or null:
// none. Writes codes (padded_dim) and the group sums (n_groups); returns the scale. `rotated` is scratch of
// padded_dim floats.
inline float prepare_query(const codec::HeadShape& head, const float* q, const float* smoothing,
                           float* rotated, std::int8_t* codes, std::int32_t* sums) {
    const int dim = head.padded_dim;
    for (int c = 0; c < dim; c += 16) {
        const f32x16 x = load_up_to_16(q + c, head.head_dim - c);
        store(rotated + c, smoothing ? x / load(smoothing + c) : x);
    }
    hadamard(rotated, dim, head.hadamard_size);
    f32x16 top = zero_f32();
    for (int c = 0; c < dim; c += 16) top = max(abs(load(rotated + c)), top);
    const float amax = reduce_max(top);
    const f32x16 inverse = set1(amax > 0 ? 127.0f / amax : 0.0f);
    for (int g = 0; g < head.n_groups; ++g) {
        i32x16 sum = zero_i32();
        for (int c = g * head.group; c < (g + 1) * head.group; c += 16) {
            store_i8(codes + c, load(rotated + c) * inverse);
            sum = sum + load_i8_i32(codes + c);
        }
        sums[g] = reduce_add(sum);
    }
    return amax / 127.0f;
}

KVSPLIT_INLINE void store_number(std::uint16_t* p, f32x16 a) { store_f16(p, a); }
KVSPLIT_INLINE void store_number(float* p, f32x16 a) { store(p, a); }

// One token of one head into an open page: keys [dim][64] and values [64][padded_dim], f16 or f32.
template <typename Number>
AppendedSizes append_numbers(const codec::KvHead& head, const float* key, const float* value, int token,
                             Number* keys, Number* values) {
    alignas(64) Number stored[16];
    f32x16 key_top = zero_f32(), value_top = zero_f32();
    for (int c = 0; c < head.key.head_dim; c += 16) {
        const int n = head.key.head_dim - c < 16 ? head.key.head_dim - c : 16;
        const f32x16 x = load_up_to_16(key + c, n);
        key_top = max(abs(x), key_top);
        store_number(stored, x);
        for (int i = 0; i < n; ++i) keys[(c + i) * kTokens + token] = stored[i];
    }
    for (int c = 0; c < head.value.head_dim; c += 16) {
        const f32x16 x = load_up_to_16(value + c, head.value.head_dim - c);
        value_top = max(abs(x), value_top);
        store_number(values + token * head.value.padded_dim + c, x);
    }
    return {reduce_max(key_top), reduce_max(value_top)};
}
inline AppendedSizes append_token(const codec::KvHead& head, const float* key, const float* value, int token,
                                  int bits, std::byte* keys, std::byte* values) {
    if (bits == 32) {
        append_numbers(head, key, value, token, reinterpret_cast<float*>(keys),
                       reinterpret_cast<float*>(values));
        return {};
    }
    return append_numbers(head, key, value, token, reinterpret_cast<std::uint16_t*>(keys),
                          reinterpret_cast<std::uint16_t*>(values));
}

// The attention output of n_rows rows: (rotated part undone + plain part) / sum. Either state may be absent
// (null max). out(r) = out + (r / group) * token_stride + (r % group) * dim
inline void finish_rows(const codec::HeadShape& head, SoftmaxState& rotated, const SoftmaxState& plain,
                        int n_rows, int group, float* out, std::ptrdiff_t token_stride) {
    const int dim = head.padded_dim;
    for (int r = 0; r < n_rows; ++r) {
        const bool has_rotated = rotated.max && rotated.max[r] != kMinusInfinity;
        const bool has_plain = plain.max && plain.max[r] != kMinusInfinity;
        const float mr = has_rotated ? rotated.max[r] : kMinusInfinity,
                    mp = has_plain ? plain.max[r] : kMinusInfinity;
        const float top = mr > mp ? mr : mp;
        const f32x16 a = has_rotated ? exp2_below(set1(mr - top)) : zero_f32(),
                     b = has_plain ? exp2_below(set1(mp - top)) : zero_f32();
        f32x16 sums = zero_f32();
        if (has_rotated) sums = load(rotated.sum + r * 16) * a;
        if (has_plain) sums = fmadd(load(plain.sum + r * 16), b, sums);
        const float sum = reduce_add(sums);
        const f32x16 inverse = set1(sum > 0 ? 1.0f / sum : 0.0f);
        float* x = rotated.max ? rotated.acc + r * dim : nullptr;
        const float* y = plain.max ? plain.acc + r * dim : nullptr;
        if (has_rotated) hadamard(x, dim, head.hadamard_size);
        float* row = out + (r / group) * token_stride + (r % group) * head.head_dim;
        for (int c = 0; c < head.head_dim; c += 16) {
            const int n = head.head_dim - c < 16 ? head.head_dim - c : 16;
            f32x16 s = zero_f32();
            if (has_rotated) s = load(x + c) * (a * inverse);
            if (has_plain) s = fmadd(load(y + c), b * inverse, s);
            store_first(row + c, s, n);
        }
    }
}

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
