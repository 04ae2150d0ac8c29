// Page encoders: codec/reference.cc for 16 tokens at a time, one per lane. Part of a kernel translation unit
// (simd.h).
//
// Results equal the reference's bit for bit: each lane does the reference's operations in the reference's
// order, none of them fused. A change there is a change here; tests/backend/seal_test.cc compares.
#pragma once

#include "backend/cpu/seal_kernels.h"
#include "backend/cpu/simd/simd.h"
#include "backend/cpu/simd/simd_pages.h"
#include "codec/codec.h"
#include "codec/grid.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {
namespace sealing {

using codec::GridKind;
using codec::GridPolicy;
using codec::HeadShape;
using codec::kPageTokens;
using codec::kSinkTokens;
using codec::PageLayout;
using codec::ScaleRule;

constexpr float kMaxHalf = 65504.0f;
constexpr float kMinScale = 1e-7f;
constexpr float kMinProduct = 1e-12f;
constexpr int kTileTokens = 16;

// Sixteen tokens of one head: x[channel][token].
struct Tile {
    alignas(64) float x[codec::kMaxHeadDim][kTileTokens];
};

// What is subtracted from and multiplied with each channel.
struct Channels {
    alignas(64) float mean[codec::kMaxHeadDim];         // exact
    alignas(64) float stored_mean[codec::kMaxHeadDim];  // as decoded
    alignas(64) float factor[codec::kMaxHeadDim];
};

KVSPLIT_INLINE f32x16 saturate(f32x16 x) { return min(max(x, set1(-kMaxHalf)), set1(kMaxHalf)); }
KVSPLIT_INLINE f32x16 to_scale(f32x16 x) { return round_f16(min(max(x, set1(kMinScale)), set1(kMaxHalf))); }
KVSPLIT_INLINE float transform_factor(const HeadShape& shape) {
    return 1.0f / __builtin_sqrtf(static_cast<float>(shape.hadamard_size));
}
KVSPLIT_INLINE std::uint16_t* halves(std::uint8_t* p) { return reinterpret_cast<std::uint16_t*>(p); }
KVSPLIT_INLINE std::uint8_t* part(std::uint8_t* page, std::size_t offset, std::size_t stride, int head) {
    return page + offset + static_cast<std::size_t>(head) * stride;
}

// log2(n) stages of the Hadamard transform at once, from `span` on; n values stay in registers.
template <int n>
KVSPLIT_INLINE void transform_stages(Tile& tile, int dim, int span) {
    for (int block = 0; block < dim; block += n * span) {
        for (int c = block; c < block + span; ++c) {
            f32x16 v[n];
            for (int i = 0; i < n; ++i) v[i] = load(tile.x[c + i * span]);
            for (int half = 1; half < n; half *= 2) {
                for (int i = 0; i < n; ++i) {
                    if (i & half) continue;
                    const f32x16 a = v[i], b = v[i + half];
                    v[i] = a + b;
                    v[i + half] = a - b;
                }
            }
            for (int i = 0; i < n; ++i) store(tile.x[c + i * span], v[i]);
        }
    }
}

inline void transform_channels(Tile& tile, const HeadShape& shape) {
    int span = 1;
    for (; span * 8 <= shape.hadamard_size; span *= 8) transform_stages<8>(tile, shape.head_dim, span);
    if (span * 4 == shape.hadamard_size) transform_stages<4>(tile, shape.head_dim, span);
    if (span * 2 == shape.hadamard_size) transform_stages<2>(tile, shape.head_dim, span);
}

// Grids. value(x) is what the code of x stands for, code(x) the code itself; both for a given step.
struct UniformGrid {
    KVSPLIT_INLINE explicit UniformGrid(const GridPolicy& policy)
        : low(-static_cast<float>(1 << (policy.bits - 1))) {}
    KVSPLIT_INLINE i32x16 code(f32x16 x, f32x16 inverse_step) const {
        return to_i32(min(max(x * inverse_step - set1(0.5f), set1(low)), set1(-low - 1.0f)));
    }
    KVSPLIT_INLINE f32x16 value(f32x16 x, f32x16 inverse_step) const {
        return to_f32(code(x, inverse_step)) + set1(0.5f);
    }
    float low;
};

// Magnitudes only: x must not be negative, except for code().
struct LevelGrid {
    KVSPLIT_INLINE explicit LevelGrid(const GridPolicy& policy)
        : threshold(load_table8(policy.table->threshold)),
          lower(load_table8(policy.table->lower)),
          upper(load_table8(policy.table->upper)),
          index(load_table8(policy.table->index)),
          half(1 << (policy.bits - 1)) {}
    // floor(8 u), at most 7. On a border between cells either will do: both give the same level.
    static KVSPLIT_INLINE i32x16 cell(f32x16 u) {
        return to_i32(min(u * set1(8.0f), set1(7.5f)) - set1(0.5f));
    }
    KVSPLIT_INLINE f32x16 value(f32x16 x, f32x16 inverse_step) const {
        const f32x16 u = x * inverse_step;
        const i32x16 c = cell(u);
        return select(lt(lookup8(threshold, c), u), lookup8(upper, c), lookup8(lower, c));
    }
    KVSPLIT_INLINE i32x16 code(f32x16 x, f32x16 inverse_step) const {
        const f32x16 u = abs(x) * inverse_step;
        const i32x16 c = cell(u);
        const i32x16 above = select(lt(lookup8(threshold, c), u), set1(1), zero_i32());
        const i32x16 positive = lookup8(index, c) + above + set1(half);
        return select(lt(zero_f32(), x), positive, positive ^ set1(2 * half - 1));
    }
    table8f threshold, lower, upper;
    table8i index;
    int half;
};

struct Scales {
    f32x16 step, stored;
};

// <x,x> and max |x| over the channels of a group.
struct Moments {
    f32x16 squares, largest;
};
inline Moments moments(const float (*x)[kTileTokens], int n) {
    Moments m{zero_f32(), zero_f32()};
    for (int i = 0; i < n; ++i) {
        const f32x16 a = load(x[i]);
        m.squares = m.squares + a * a;
        m.largest = max(abs(a), m.largest);
    }
    return m;
}

// <x,c> and <c,c>
struct Products {
    f32x16 xc, cc;
};
inline Products products(const UniformGrid& grid, const float (*x)[kTileTokens], int n, f32x16 inverse) {
    Products p{zero_f32(), zero_f32()};
    for (int i = 0; i < n; ++i) {
        const f32x16 a = load(x[i]), c = grid.value(a, inverse);
        p.xc = p.xc + a * c;
        p.cc = p.cc + c * c;
    }
    return p;
}
inline Products products(const LevelGrid& grid, const float (*x)[kTileTokens], int n, f32x16 inverse) {
    Products p{zero_f32(), zero_f32()};
    for (int i = 0; i < n; ++i) {
        const f32x16 a = abs(load(x[i])), c = grid.value(a, inverse);
        p.xc = p.xc + a * c;
        p.cc = p.cc + c * c;
    }
    return p;
}

template <typename Grid>
Scales choose_scales(const GridPolicy& policy, const Grid& grid, const float (*x)[kTileTokens], int n) {
    const Moments m = moments(x, n);
    const f32x16 base = policy.kind == GridKind::kUniform
                            ? m.largest / set1(static_cast<float>(1 << (policy.bits - 1)) - 0.5f)
                            : sqrt(m.squares / set1(static_cast<float>(n))) * set1(policy.table->top);
    Scales best{zero_f32(), zero_f32()};
    f32x16 best_fit = zero_f32();
    for (int f = 0; f < policy.n_factors; ++f) {
        const f32x16 step = to_scale(base * set1(policy.factors[f]));
        if (policy.rule == ScaleRule::kStep && policy.n_factors == 1) return {step, step};
        const Products p = products(grid, x, n, set1(1.0f) / step);
        const f32x16 xc = max(abs(p.xc), set1(kMinProduct));
        const f32x16 least_squares = xc / max(p.cc, set1(kMinProduct)), unbiased = m.squares / xc;
        f32x16 stored = step;
        if (policy.rule == ScaleRule::kLeastSquares) stored = to_scale(least_squares);
        if (policy.rule == ScaleRule::kUnbiased) stored = to_scale(unbiased);
        if (policy.rule == ScaleRule::kMixed) stored = to_scale(sqrt(unbiased) * sqrt(least_squares));

        const bool refitted = policy.rule == ScaleRule::kUnbiased || policy.rule == ScaleRule::kMixed;
        const f32x16 fitted = refitted ? least_squares : stored;
        const f32x16 fit = fitted * (set1(2.0f) * xc - fitted * p.cc);
        if (f == 0) {
            best = {step, stored};
            best_fit = fit;
        } else {
            const mask16 better = lt(best_fit, fit);
            best = {select(better, step, best.step), select(better, stored, best.stored)};
            best_fit = select(better, fit, best_fit);
        }
    }
    return best;
}

// Packs the codes of channels c .. c + group of 16 tokens.
struct KeyCodes {
    std::uint8_t* codes;
    int bits, token;

    template <typename Grid>
    void pack(const Grid& grid, const float (*x)[kTileTokens], int channel, int n, f32x16 inverse) const {
        if (bits == 8) {
            for (int i = 0; i < n; i += 4) {
                i32x16 word = zero_i32();
                for (int j = 3; j >= 0; --j) {
                    word = shift_left<8>(word) | (grid.code(load(x[i + j]), inverse) & set1(0xff));
                }
                // code + 128 is the code with its top bit turned
                store_block((channel + i) / 4, word ^ set1(static_cast<std::int32_t>(0x80808080u)));
            }
            return;
        }
        for (int i = 0; i < n; i += 8) {
            i32x16 word = zero_i32();
            for (int j = 3; j >= 0; --j) {
                const i32x16 low = grid.code(load(x[i + j]), inverse),
                             high = grid.code(load(x[i + 4 + j]), inverse);
                word = shift_left<8>(word) | shift_left<4>(high) | low;
            }
            store_block((channel + i) / 8, word);
        }
    }
    KVSPLIT_INLINE void store_block(int block, i32x16 words) const {
        store_bytes(codes + (static_cast<std::ptrdiff_t>(block) * kPageTokens + token) * 4, as_bytes(words));
    }
};

struct ValueCodes {
    std::uint8_t* codes;
    int bits, token, padded_dim;

    template <typename Grid>
    void pack(const Grid& grid, const float (*x)[kTileTokens], int channel, int n, f32x16 inverse) const {
        for (int i = 0; i < n; ++i) {
            std::uint8_t bytes[kTileTokens];
            store_low_bytes(bytes, grid.code(load(x[i]), inverse));
            std::uint32_t words[4];
            std::memcpy(words, bytes, 16);
            if (bits == 8) {
                for (int j = 0; j < 4; ++j) store_word(token / 4 + j, channel + i, words[j]);
            } else {
                for (int j = 0; j < 2; ++j)
                    store_word(token / 8 + j, channel + i, words[2 * j] | words[2 * j + 1] << 4);
            }
        }
    }
    KVSPLIT_INLINE void store_word(int block, int channel, std::uint32_t word) const {
        std::memcpy(codes + (static_cast<std::ptrdiff_t>(block) * padded_dim + channel) * 4, &word, 4);
    }
};

template <typename Grid, typename Codes>
void encode_groups(const GridPolicy& policy, const HeadShape& shape, const Tile& tile, int token,
                   const Codes& codes, std::uint16_t* scales) {
    const Grid grid(policy);
    for (int g = 0; g < shape.n_groups; ++g) {
        const float(*x)[kTileTokens] = tile.x + g * shape.group;
        const Scales s = choose_scales(policy, grid, x, shape.group);
        store_f16(scales + g * kPageTokens + token, s.stored);
        codes.pack(grid, x, g * shape.group, shape.group, set1(1.0f) / s.step);
    }
}

template <typename Codes>
void encode_tile(const GridPolicy& policy, const HeadShape& shape, const Tile& tile, int token,
                 const Codes& codes, std::uint16_t* scales) {
    if (policy.kind == GridKind::kUniform) {
        encode_groups<UniformGrid>(policy, shape, tile, token, codes, scales);
    } else {
        encode_groups<LevelGrid>(policy, shape, tile, token, codes, scales);
    }
}

// Means of all channels, exact and as stored; writes the stored form.
inline void key_means(const HeadShape& shape, const std::uint16_t* keys, bool first_page, Channels& channels,
                      std::int8_t* mean, std::uint16_t* mean_scale) {
    const int dim = shape.head_dim;
    const float count = static_cast<float>(first_page ? kPageTokens - kSinkTokens : kPageTokens);
    for (int c = 0; c < dim; ++c) {
        f32x16 sum = zero_f32();
        for (int t = 0; t < kPageTokens; t += kTileTokens) {
            const f32x16 x = saturate(load_f16(keys + c * kPageTokens + t));
            sum = sum + (first_page && t == 0 ? select(mask_first(kSinkTokens), zero_f32(), x) : x);
        }
        channels.mean[c] = reduce_add(sum) * (1.0f / count);
    }
    f32x16 largest = zero_f32();
    for (int c = 0; c < dim; c += 16) largest = max(abs(load(channels.mean + c)), largest);
    std::uint16_t rounded[16];
    store_f16(rounded, set1(reduce_max(largest) / 127.0f));
    if (rounded[0] == 0) rounded[0] = 1;
    std::memcpy(mean_scale, rounded, 2);
    for (int i = 1; i < 16; ++i) rounded[i] = rounded[0];
    const f32x16 scale = load_f16(rounded);
    for (int c = 0; c < dim; c += 16) {
        const f32x16 code =
            to_f32(to_i32(min(max(load(channels.mean + c) / scale, set1(-127.0f)), set1(127.0f))));
        store_i8(mean + c, code);
        store(channels.stored_mean + c, code * scale);
    }
}

// The means of value channels over the first page without its sinks: 16 partial sums over the tokens, folded.
inline void value_means(const HeadShape& shape, const std::uint16_t* values, float* mean) {
    for (int c = 0; c < shape.head_dim; c += 16) {
        f32x16 sum[kTileTokens];
        for (int i = 0; i < kTileTokens; ++i) sum[i] = zero_f32();
        for (int t = kSinkTokens; t < kPageTokens; ++t) {
            sum[t % kTileTokens] =
                sum[t % kTileTokens] +
                saturate(load_f16(values + static_cast<std::ptrdiff_t>(t) * shape.padded_dim + c));
        }
        for (int half = kTileTokens / 2; half >= 1; half /= 2) {
            for (int i = 0; i < half; ++i) sum[i] = sum[i] + sum[i + half];
        }
        store(mean + c, sum[0] * set1(1.0f / static_cast<float>(kPageTokens - kSinkTokens)));
    }
}

}  // namespace sealing

inline void seal_key_page(const codec::PageLayout& layout, int head, const std::uint16_t* open_keys,
                          const float* smoothing, std::uint8_t* page) {
    using namespace sealing;
    const HeadShape& shape = layout.shape;
    const int dim = shape.head_dim;
    std::uint8_t* codes = part(page, layout.key_codes, layout.key_codes_head_bytes, head);
    if (layout.key_bits == 16) {
        std::memcpy(codes, open_keys, layout.key_codes_head_bytes);
        return;
    }
    Channels channels;
    key_means(shape, open_keys, layout.first_page, channels,
              reinterpret_cast<std::int8_t*>(part(page, layout.key_means, layout.key_means_head_bytes, head)),
              halves(part(page, layout.key_mean_scales, layout.key_mean_scales_head_bytes, head)));
    for (int c = 0; c < dim; c += 16) {
        store(channels.factor + c, load(smoothing + c) * set1(transform_factor(shape)));
    }
    const GridPolicy& policy = codec::key_policy(layout.key_bits);
    std::uint16_t* scales = halves(part(page, layout.key_scales, layout.key_scales_head_bytes, head));
    Tile tile;
    for (int t = 0; t < kPageTokens; t += kTileTokens) {
        const bool sinks = layout.first_page && t == 0;
        for (int c = 0; c < dim; ++c) {
            f32x16 x = saturate(load_f16(open_keys + c * kPageTokens + t));
            if (sinks) x = select(mask_first(kSinkTokens), set1(channels.mean[c]), x);
            store(tile.x[c], (x - set1(channels.stored_mean[c])) * set1(channels.factor[c]));
        }
        transform_channels(tile, shape);
        encode_tile(policy, shape, tile, t, KeyCodes{codes, layout.key_bits, t}, scales);
    }
    if (layout.first_page) {
        std::uint16_t* sinks = halves(part(page, layout.sink_keys, layout.sink_keys_head_bytes, head));
        for (int t = 0; t < kSinkTokens; ++t) {
            for (int c = 0; c < dim; ++c) sinks[t * dim + c] = open_keys[c * kPageTokens + t];
        }
    }
}

inline void seal_value_page(const codec::PageLayout& layout, int head, const std::uint16_t* open_values,
                            std::uint8_t* page) {
    using namespace sealing;
    const HeadShape& shape = layout.shape;
    const int dim = shape.head_dim;
    std::uint8_t* codes = part(page, layout.value_codes, layout.value_codes_head_bytes, head);
    if (layout.value_bits == 16) {
        std::memcpy(codes, open_values, layout.value_codes_head_bytes);
        return;
    }
    alignas(64) float mean[codec::kMaxHeadDim];
    if (layout.first_page) value_means(shape, open_values, mean);
    const GridPolicy& policy = codec::value_policy(layout.value_bits);
    std::uint16_t* scales = halves(part(page, layout.value_scales, layout.value_scales_head_bytes, head));
    const f32x16 factor = set1(transform_factor(shape));
    Tile tile;
    for (int t = 0; t < kPageTokens; t += kTileTokens) {
        const bool sinks = layout.first_page && t == 0;
        for (int c = 0; c < dim; c += 8) {
            alignas(64) std::uint16_t columns[8][kTileTokens];
            const std::uint16_t* rows = open_values + static_cast<std::ptrdiff_t>(t) * shape.padded_dim + c;
            transpose_8x8(rows, shape.padded_dim, columns[0], kTileTokens);
            transpose_8x8(rows + 8 * shape.padded_dim, shape.padded_dim, columns[0] + 8, kTileTokens);
            for (int i = 0; i < 8; ++i) {
                f32x16 x = saturate(load_f16(columns[i]));
                if (sinks) x = select(mask_first(kSinkTokens), set1(mean[c + i]), x);
                store(tile.x[c + i], x * factor);
            }
        }
        transform_channels(tile, shape);
        encode_tile(policy, shape, tile, t, ValueCodes{codes, layout.value_bits, t, shape.padded_dim},
                    scales);
    }
    if (layout.first_page) {
        std::memcpy(part(page, layout.sink_values, layout.sink_values_head_bytes, head), open_values,
                    layout.sink_values_head_bytes);
    }
}

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
