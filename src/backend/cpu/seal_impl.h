// Page encoders: codec/reference.cc for 16 tokens at a time, one per lane. Part of a kernel translation unit
// (simd.h).
//
// Results equal the reference's bit for bit: each lane does the reference's operations in the same order,
// none of them fused. Change both together; tests/backend/seal_test.cc compares them.
#pragma once

#include "backend/cpu/seal_kernels.h"
#include "backend/cpu/simd/simd.h"
#include "backend/cpu/simd/simd_pages.h"
#include "backend/cpu/width_dispatch.h"
#include "codec/codec.h"
#include "codec/grid.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {
namespace sealing {

using codec::GridKind;
using codec::GridPolicy;
using codec::HeadShape;
using codec::kPageTokens;
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

// The mean and factor of each channel.
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
KVSPLIT_INLINE std::uint8_t* part(std::uint8_t* page, const codec::PageArray& array, int head) {
    return page + array.at(head);
}

// log2(n) stages of the Hadamard transform from `span` on, with n values in registers.
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
    const int dim = shape.padded_dim;
    int span = 1;
    for (; span * 8 <= shape.hadamard_size; span *= 8) transform_stages<8>(tile, dim, span);
    if (span * 4 == shape.hadamard_size) transform_stages<4>(tile, dim, span);
    if (span * 2 == shape.hadamard_size) transform_stages<2>(tile, dim, span);
}

// Grids. value(x) is the value of x's code, code(x) the code itself; both for a given step.
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
    // floor(8 u), at most 7. On a border either cell is fine: both give the same level.
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

// The field of w bits from bit `from` of every byte, moved to bit `to`.
template <int w, int from, int to>
KVSPLIT_INLINE i32x16 field(i32x16 x) {
    constexpr std::uint32_t kMask = ((1u << w) - 1) * 0x01010101u << to;
    if constexpr (from > to) x = shift_right_logical<from - to>(x);
    if constexpr (to > from) x = shift_left<to - from>(x);
    return x & set1(static_cast<std::int32_t>(kMask));
}

// Packs codes of 16 tokens into the planes of codec.h. Channels come in order, 16 at a time.
template <int bits>
struct KeyCodes {
    static constexpr codec::CodePlanes kPlanes = codec::code_planes(bits);
    std::uint8_t* codes;
    std::size_t high_plane;
    int token;

    template <typename Grid>
    void pack(const Grid& grid, const float (*x)[kTileTokens], int channel, int n, f32x16 inverse) const {
        constexpr std::int32_t kBias = codec::has_levels(bits) ? 0 : 1 << (bits - 1);
        for (int i = 0; i < n; i += 16) {
            i32x16 quad[4];  // byte j of a lane: the code of channel 4q + j
            for (int q = 0; q < 4; ++q) {
                quad[q] = zero_i32();
                for (int j = 3; j >= 0; --j) {
                    const i32x16 code = grid.code(load(x[i + 4 * q + j]), inverse) + set1(kBias);
                    quad[q] = shift_left<8>(quad[q]) | code;
                }
            }
            const int unit = (channel + i) / 16;
            store_plane<kPlanes.low, 0>(codes, unit, quad);
            if constexpr (kPlanes.high > 0)
                store_plane<kPlanes.high, kPlanes.low>(codes + high_plane, unit, quad);
        }
    }

  private:
    // The field of w bits from bit `from` on, of the four quads of 16 channels.
    template <int w, int from>
    KVSPLIT_INLINE void store_plane(std::uint8_t* plane, int unit, const i32x16 (&quad)[4]) const {
        if constexpr (w == 8) {
            for (int q = 0; q < 4; ++q) store_block(plane, 4 * unit + q, quad[q]);
        } else if constexpr (w == 4) {
            store_block(plane, 2 * unit, field<4, from, 0>(quad[0]) | field<4, from, 4>(quad[1]));
            store_block(plane, 2 * unit + 1, field<4, from, 0>(quad[2]) | field<4, from, 4>(quad[3]));
        } else if constexpr (w == 2) {
            store_block(plane, unit,
                        field<2, from, 0>(quad[0]) | field<2, from, 2>(quad[1]) | field<2, from, 4>(quad[2]) |
                            field<2, from, 6>(quad[3]));
        } else {
            const i32x16 half = field<1, from, 0>(quad[0]) | field<1, from, 1>(quad[1]) |
                                field<1, from, 2>(quad[2]) | field<1, from, 3>(quad[3]);
            const int block = unit / 2;
            if (unit % 2 == 0) return store_block(plane, block, half);
            store_block(plane, block, as_i32(load_bytes(at(plane, block))) | shift_left<4>(half));
        }
    }
    KVSPLIT_INLINE std::uint8_t* at(std::uint8_t* plane, int block) const {
        return plane + (static_cast<std::ptrdiff_t>(block) * kPageTokens + token) * 4;
    }
    KVSPLIT_INLINE void store_block(std::uint8_t* plane, int block, i32x16 words) const {
        store_bytes(at(plane, block), as_bytes(words));
    }
};

template <int bits>
struct ValueCodes {
    static constexpr codec::CodePlanes kPlanes = codec::code_planes(bits);
    std::uint8_t* codes;
    std::size_t high_plane;
    int token, padded_dim;

    template <typename Grid>
    void pack(const Grid& grid, const float (*x)[kTileTokens], int channel, int n, f32x16 inverse) const {
        constexpr std::int32_t kBias = codec::has_levels(bits) || bits == 8 ? 0 : 1 << (bits - 1);
        for (int i = 0; i < n; ++i) {
            std::uint8_t bytes[kTileTokens];
            store_low_bytes(bytes, grid.code(load(x[i]), inverse) + set1(kBias));
            std::uint32_t quad[4];  // byte j: the code of token 4q + j
            std::memcpy(quad, bytes, 16);
            store_plane<kPlanes.low, 0>(codes, channel + i, quad);
            if constexpr (kPlanes.high > 0)
                store_plane<kPlanes.high, kPlanes.low>(codes + high_plane, channel + i, quad);
        }
    }

  private:
    template <int w, int from>
    KVSPLIT_INLINE void store_plane(std::uint8_t* plane, int channel, const std::uint32_t (&quad)[4]) const {
        constexpr std::uint32_t kMask = ((1u << w) - 1) * 0x01010101u;
        constexpr int kQuads = 8 / w < 4 ? 8 / w : 4;  // quads of these 16 tokens that share a word
        for (int q = 0; q < 4; q += kQuads) {
            std::uint32_t word = 0;
            for (int k = 0; k < kQuads; ++k) word |= (quad[q + k] >> from & kMask) << (k * w);
            const int first = token / 4 + q, block = first / (8 / w);
            std::uint8_t* at = plane + (static_cast<std::ptrdiff_t>(block) * padded_dim + channel) * 4;
            if (w == 1 && first % 8 != 0) {  // the block's other tokens came before
                std::uint32_t low;
                std::memcpy(&low, at, 4);
                word = low | word << 4;
            }
            std::memcpy(at, &word, 4);
        }
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

template <template <int> typename Codes, int bits, typename... Place>
void encode_width(const GridPolicy& policy, const HeadShape& shape, const Tile& tile, int token,
                  std::uint16_t* scales, std::uint8_t* codes, std::size_t high_plane, Place... place) {
    const Codes<bits> packer{codes, high_plane, place...};
    if constexpr (codec::has_levels(bits)) {
        encode_groups<LevelGrid>(policy, shape, tile, token, packer, scales);
    } else {
        encode_groups<UniformGrid>(policy, shape, tile, token, packer, scales);
    }
}

// place: further constructor arguments of Codes, after the plane's.
template <template <int> typename Codes, typename... Place>
void encode_tile(const GridPolicy& policy, const HeadShape& shape, const Tile& tile, int token,
                 std::uint16_t* scales, std::uint8_t* codes, std::size_t high_plane, Place... place) {
    with_width(policy.bits, [&](auto width) {
        encode_width<Codes, width.bits>(policy, shape, tile, token, scales, codes, high_plane, place...);
    });
}

// Rounds and stores the means; zeros if pages are not centred.
inline void store_means(const PageLayout& layout, int dim, Channels& channels, std::int8_t* mean,
                        std::uint16_t* mean_scale) {
    if (!layout.codec.mean) {
        *mean_scale = 1;
        for (int c = 0; c < dim; c += 16) {
            store_i8(mean + c, zero_f32());
            store(channels.stored_mean + c, zero_f32());
        }
        return;
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

// The means of key channels, [channel][64 tokens], without the sinks. Those of padding channels are 0.
inline void key_means(const PageLayout& layout, const std::uint16_t* keys, float* mean) {
    const HeadShape& shape = layout.head.key;
    const float count = static_cast<float>(kPageTokens - layout.sinks);
    for (int c = shape.head_dim; c < shape.padded_dim; ++c) mean[c] = 0.0f;
    for (int c = 0; c < shape.head_dim; ++c) {
        f32x16 sum = zero_f32();
        sum = sum + select(mask_first(layout.sinks), zero_f32(), saturate(load_f16(keys + c * kPageTokens)));
        for (int t = kTileTokens; t < kPageTokens; t += kTileTokens) {
            sum = sum + saturate(load_f16(keys + c * kPageTokens + t));
        }
        mean[c] = reduce_add(sum) * (1.0f / count);
    }
}

// The same for value channels, [token][channel]: 16 partial sums over the tokens, folded.
inline void value_means(const PageLayout& layout, const std::uint16_t* values, float* mean) {
    const HeadShape& shape = layout.head.value;
    for (int c = 0; c < shape.padded_dim; c += 16) {
        f32x16 sum[kTileTokens];
        for (int i = 0; i < kTileTokens; ++i) sum[i] = zero_f32();
        for (int t = layout.sinks; t < kPageTokens; ++t) {
            sum[t % kTileTokens] =
                sum[t % kTileTokens] +
                saturate(load_f16(values + static_cast<std::ptrdiff_t>(t) * shape.padded_dim + c));
        }
        for (int half = kTileTokens / 2; half >= 1; half /= 2) {
            for (int i = 0; i < half; ++i) sum[i] = sum[i] + sum[i + half];
        }
        store(mean + c, sum[0] * set1(1.0f / static_cast<float>(kPageTokens - layout.sinks)));
    }
}

}  // namespace sealing

inline void seal_key_page(const codec::PageLayout& layout, int head, const std::uint16_t* open_keys,
                          const float* smoothing, std::uint8_t* page) {
    using namespace sealing;
    const HeadShape& shape = layout.head.key;
    const int dim = shape.head_dim, padded = shape.padded_dim;
    std::uint8_t* codes = part(page, layout.key_codes, head);
    if (layout.key_bits == 16) {
        std::memcpy(codes, open_keys, layout.key_codes.bytes);
        return;
    }
    Channels channels;
    key_means(layout, open_keys, channels.mean);
    store_means(layout, padded, channels, reinterpret_cast<std::int8_t*>(part(page, layout.key_means, head)),
                halves(part(page, layout.key_mean_scales, head)));
    for (int c = 0; c < padded; c += 16) {
        store(channels.factor + c, load(smoothing + c) * set1(transform_factor(shape)));
    }
    const GridPolicy& policy = codec::key_policy(layout.key_bits, layout.codec.search);
    std::uint16_t* scales = halves(part(page, layout.key_scales, head));
    Tile tile;
    for (int t = 0; t < kPageTokens; t += kTileTokens) {
        const int sinks = t == 0 ? layout.sinks : 0;
        for (int c = 0; c < dim; ++c) {
            f32x16 x = saturate(load_f16(open_keys + c * kPageTokens + t));
            if (sinks > 0) x = select(mask_first(sinks), set1(channels.mean[c]), x);
            store(tile.x[c], (x - set1(channels.stored_mean[c])) * set1(channels.factor[c]));
        }
        for (int c = dim; c < padded; ++c) store(tile.x[c], zero_f32());
        transform_channels(tile, shape);
        encode_tile<KeyCodes>(policy, shape, tile, t, scales, codes, layout.key_high_plane, t);
    }
    std::uint16_t* sinks = halves(part(page, layout.sink_keys, head));
    for (int t = 0; t < layout.sinks; ++t) {
        for (int c = 0; c < dim; ++c) sinks[t * dim + c] = open_keys[c * kPageTokens + t];
    }
}

inline void seal_value_page(const codec::PageLayout& layout, int head, const std::uint16_t* open_values,
                            std::uint8_t* page) {
    using namespace sealing;
    const HeadShape& shape = layout.head.value;
    const int dim = shape.padded_dim;
    std::uint8_t* codes = part(page, layout.value_codes, head);
    if (layout.value_bits == 16) {
        std::memcpy(codes, open_values, layout.value_codes.bytes);
        return;
    }
    Channels channels;
    const bool centred = layout.head.latent;
    if (centred || layout.sinks > 0) value_means(layout, open_values, channels.mean);
    if (centred) {
        store_means(layout, dim, channels,
                    reinterpret_cast<std::int8_t*>(part(page, layout.value_means, head)),
                    halves(part(page, layout.value_mean_scales, head)));
    }
    const GridPolicy& policy = codec::value_policy(layout.value_bits, layout.codec.search);
    std::uint16_t* scales = halves(part(page, layout.value_scales, head));
    const f32x16 factor = set1(transform_factor(shape));
    Tile tile;
    for (int t = 0; t < kPageTokens; t += kTileTokens) {
        const int sinks = t == 0 ? layout.sinks : 0;
        for (int c = 0; c < dim; c += 8) {
            alignas(64) std::uint16_t columns[8][kTileTokens];
            const std::uint16_t* rows = open_values + static_cast<std::ptrdiff_t>(t) * shape.padded_dim + c;
            transpose_8x8(rows, shape.padded_dim, columns[0], kTileTokens);
            transpose_8x8(rows + 8 * shape.padded_dim, shape.padded_dim, columns[0] + 8, kTileTokens);
            for (int i = 0; i < 8; ++i) {
                f32x16 x = saturate(load_f16(columns[i]));
                if (sinks > 0) x = select(mask_first(sinks), set1(channels.mean[c + i]), x);
                if (centred) x = x - set1(channels.stored_mean[c + i]);
                store(tile.x[c + i], x * factor);
            }
        }
        transform_channels(tile, shape);
        encode_tile<ValueCodes>(policy, shape, tile, t, scales, codes, layout.value_high_plane, t,
                                shape.padded_dim);
    }
    std::memcpy(part(page, layout.sink_values, head), open_values, layout.sink_values.bytes);
}

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
