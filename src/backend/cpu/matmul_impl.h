// Products of packed weights (packed_format.h) with tiles of activations (matmul_kernels.h). Part of a kernel
// translation unit (simd.h).
//
// A weight format is a pair of policies for codes and scales (packed_codes.h); the products are templates
// over them. A row group's sums over a tile stay in registers from the first k-group to the last, so the
// order of operations for an element does not depend on the tile's size.
#pragma once

#include "backend/cpu/matmul_kernels.h"
#include "backend/cpu/packed_codes.h"
#include "backend/cpu/simd/simd.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

// ---- Storing a row group's sums

template <int nc>
KVSPLIT_INLINE void store_sums(const f32x16 (&sum)[nc], const MatmulTask& t, int row) {
    float* out = t.out + row;
    const int rows = t.rows - row < kRowGroup ? t.rows - row : kRowGroup;
    if (rows == kRowGroup) [[likely]] {
#pragma GCC unroll 16
        for (int c = 0; c < nc; ++c, out += t.out_stride)
            store(out, t.accumulate ? load(out) + sum[c] : sum[c]);
        return;
    }
#pragma GCC unroll 16
    for (int c = 0; c < nc; ++c, out += t.out_stride) {
        store_first(out, t.accumulate ? load_first(out, rows) + sum[c] : sum[c], rows);
    }
}

// ---- Integer products

// With `wide`, activations are int16: the products of their high bytes come first, and those of the low bytes
// go on from 256 times their sum. All sums fit 31 bits.
template <PackedFormat format, int nc, bool wide>
struct IntegerStep {
    static constexpr int kRecordBytes = wide ? kInt16RecordBytes : kInt8RecordBytes;
    static constexpr int kLow = wide ? 32 * nc : 0;  // where the low bytes begin in a record
    static constexpr FormatLayout kLayout = layout_of(format);
    using C = WeightCodes<format>;
    using S = WeightScales<format>;

    // log2 of the zero point
    static constexpr int kZeroShift = __builtin_ctz(kLayout.zero ? kLayout.zero : 1);

    // The integer sums of unit pairs p and p + 1, or with `all` of all four. They start at
    // -zero * (sum of q), which makes up for the codes' zero point exactly.
#if defined(KVSPLIT_WORD_PRODUCTS)
    static constexpr bool kWords = wide;
    KVSPLIT_INLINE static void dot_words(i32x16 (&dot)[nc], bytes64 w, const std::uint8_t* q) {
#pragma GCC unroll 16
        for (int c = 0; c < nc; ++c)
            dot[c] = dot4_words(dot[c], w, set1_4bytes(q + 64 * c), set1_4bytes(q + 64 * c + 4));
    }
#else
    static constexpr bool kWords = false;
    KVSPLIT_INLINE static void dot_words(i32x16 (&)[nc], bytes64, const std::uint8_t*) {}
#endif
    template <int p, bool all>
    KVSPLIT_INLINE static void dot_pairs(i32x16 (&dot)[nc], const std::uint8_t* codes,
                                         const std::uint8_t* record, const std::int32_t* neg_sum) {
        if constexpr (wide && !kWords) {
#pragma GCC unroll 16
            for (int c = 0; c < nc; ++c) dot[c] = zero_i32();
            add_pairs_of<p, all>(dot, codes, record);
        }
#pragma GCC unroll 16
        for (int c = 0; c < nc; ++c) {
            const i32x16 start = kLayout.zero ? shift_left<kZeroShift>(set1(neg_sum[c])) : zero_i32();
            if constexpr (!wide || kWords) {
                dot[c] = start;
            } else {
                dot[c] = kLayout.zero ? shift_left<8>(dot[c]) + start : shift_left<8>(dot[c]);
            }
        }
        add_pairs_of<p, all>(dot, codes, kWords ? record : record + kLow);
    }
    template <int p, bool all>
    KVSPLIT_INLINE static void add_pairs_of(i32x16 (&dot)[nc], const std::uint8_t* codes,
                                            const std::uint8_t* q) {
        dot_pair<p>(dot, codes, q);
        dot_pair<p + 1>(dot, codes, q);
        if constexpr (all) {
            dot_pair<p + 2>(dot, codes, q);
            dot_pair<p + 3>(dot, codes, q);
        }
    }

    template <int pair>
    KVSPLIT_INLINE static void dot_pair(i32x16 (&dot)[nc], const std::uint8_t* codes, const std::uint8_t* q) {
        const UnitPair w = C::template units<pair>(codes);
        if constexpr (kWords) {
            dot_words(dot, w.even, q + 16 * pair);
            dot_words(dot, w.odd, q + 16 * pair + 8);
            return;
        }
#pragma GCC unroll 16
        for (int c = 0; c < nc; ++c) dot[c] = dot4_of(dot[c], w.even, set1_4bytes(q + 32 * c + 8 * pair));
#pragma GCC unroll 16
        for (int c = 0; c < nc; ++c) dot[c] = dot4_of(dot[c], w.odd, set1_4bytes(q + 32 * c + 8 * pair + 4));
    }
    KVSPLIT_INLINE static i32x16 dot4_of(i32x16 acc, bytes64 w, bytes64 q) {
        return largest_level(kLayout) < 128 ? dot4_small(acc, w, q) : dot4(acc, w, q);
    }

    KVSPLIT_INLINE static void finish(f32x16 (&sum)[nc], const i32x16 (&dot)[nc], f32x16 d,
                                      const float* scale) {
#pragma GCC unroll 16
        for (int c = 0; c < nc; ++c) sum[c] = fmadd(to_f32(dot[c]), d * set1(scale[c]), sum[c]);
    }

    KVSPLIT_INLINE static void run(f32x16 (&sum)[nc], const std::uint8_t* codes, const S& scales,
                                   const std::uint8_t* record) {
        const float* scale = reinterpret_cast<const float*>(record + kLow + 32 * nc);
        const std::int32_t* neg_sum = reinterpret_cast<const std::int32_t*>(record + kLow + 40 * nc);
        i32x16 dot[nc];
        if constexpr (S::kHalves == 1) {
            dot_pairs<0, true>(dot, codes, record, neg_sum);
            finish(sum, dot, scales.scale(0), scale);
        } else {
            dot_pairs<0, false>(dot, codes, record, neg_sum + nc);
            finish(sum, dot, scales.scale(0), scale);
            dot_pairs<2, false>(dot, codes, record, neg_sum + 2 * nc);
            finish(sum, dot, scales.scale(1), scale);
        }
        if constexpr (S::kMin && S::kHalves == 1) {
            const f32x16 m = scales.min(0);
#pragma GCC unroll 16
            for (int c = 0; c < nc; ++c) sum[c] = fmadd(m, set1(scale[nc + c]), sum[c]);
        } else if constexpr (S::kMin) {
            add_half_min(sum, scales.min(0), neg_sum + nc, scale);
            add_half_min(sum, scales.min(1), neg_sum + 2 * nc, scale);
        }
    }

    KVSPLIT_INLINE static void add_half_min(f32x16 (&sum)[nc], f32x16 m, const std::int32_t* neg_sum,
                                            const float* scale) {
#pragma GCC unroll 16
        for (int c = 0; c < nc; ++c) {
            sum[c] = fnmadd(m, set1(scale[c] * static_cast<float>(neg_sum[c])), sum[c]);
        }
    }
};

// With one or two rows of activations the product waits for memory: codes are asked for one page
// ahead, where the hardware's own prefetching stops (measured: 8 % faster at 5 bits per weight; at 8 bits it
// only gets in the way). Prefetching past the end is harmless.
template <PackedFormat format>
KVSPLIT_INLINE void prefetch_codes(const std::uint8_t* codes) {
    constexpr FormatLayout layout = layout_of(format);
    if constexpr (layout.bits < 8) {
        for (std::size_t line = 0; line < code_bytes(layout); line += 64) prefetch(codes + 4096 + line);
    }
}

template <PackedFormat format, int nc, bool wide>
void product_integer(const MatmulTask& t) {
    using Step = IntegerStep<format, nc, wide>;
    constexpr std::size_t kCodeBytes = code_bytes(Step::kLayout);
    for (int i = 0; i < t.n_groups; ++i) {
        const std::uint8_t* codes = t.codes + static_cast<std::size_t>(i) * t.code_stride;
        typename Step::S scales{{t.scales + static_cast<std::size_t>(i) * t.scale_stride}};
        const std::uint8_t* record = t.tile;
        f32x16 sum[nc];
#pragma GCC unroll 16
        for (int c = 0; c < nc; ++c) sum[c] = zero_f32();
        for (int g = 0; g < t.k_groups; ++g) {
            if constexpr (nc <= 2) prefetch_codes<format>(codes);
            Step::run(sum, codes, scales, record);
            codes += kCodeBytes;
            record += nc * Step::kRecordBytes;
            scales.next();
        }
        store_sums<nc>(sum, t, i * kRowGroup);
    }
}

// ---- Products with f32 activations

// The 16 rows' weights of column 4 u + j; j is the byte within a lane of unit u.
template <int j, int zero>
KVSPLIT_INLINE f32x16 code_column(bytes64 unit) {
    const i32x16 q = shift_right_logical<8 * j>(as_i32(unit)) & set1(std::int32_t{0xff});
    return to_f32(zero ? q - set1(std::int32_t{zero}) : q);
}

template <PackedFormat format, int nc>
struct F32Step {
    static constexpr FormatLayout kLayout = layout_of(format);

    KVSPLIT_INLINE static void column(f32x16 (&part)[nc], f32x16 w, const float* x) {
#pragma GCC unroll 16
        for (int c = 0; c < nc; ++c) part[c] = fmadd(w, set1(x[32 * c]), part[c]);
    }

    template <int j>
    KVSPLIT_INLINE static f32x16 weight(bytes64 unit, f32x16 d, f32x16 m) {
        const f32x16 q = code_column<j, kLayout.zero>(unit);
        return has_min(kLayout.scales) ? fmadd(q, d, m) : q * d;
    }
    KVSPLIT_INLINE static void unit(f32x16 (&part)[nc], bytes64 unit, f32x16 d, f32x16 m, const float* x) {
        column(part, weight<0>(unit, d, m), x);
        column(part, weight<1>(unit, d, m), x + 1);
        column(part, weight<2>(unit, d, m), x + 2);
        column(part, weight<3>(unit, d, m), x + 3);
    }
    template <int pair, typename S>
    KVSPLIT_INLINE static void units(f32x16 (&part)[nc], const std::uint8_t* codes, const S& scales,
                                     const float* x) {
        const UnitPair w = WeightCodes<format>::template units<pair>(codes);
        const f32x16 d = scales.scale(pair / 2);
        f32x16 m = d;
        if constexpr (S::kMin) m = scales.min(pair / 2);
        unit(part, w.even, d, m, x + 8 * pair);
        unit(part, w.odd, d, m, x + 8 * pair + 4);
    }

    KVSPLIT_INLINE static f32x16 load_weights(const std::uint8_t* p, int k) {
        if constexpr (format == PackedFormat::kF16) return load_f16(as_f16(p) + kRowGroup * k);
        if constexpr (format == PackedFormat::kBF16) return load_bf16(as_f16(p) + kRowGroup * k);
        return load(reinterpret_cast<const float*>(p) + kRowGroup * k);
    }
};

// Sums each k-group separately, then adds the sums: at most half the rounding error of one long chain.
template <PackedFormat format, int nc>
void product_f32(const MatmulTask& t) {
    using Step = F32Step<format, nc>;
    constexpr std::size_t kCodeBytes = code_bytes(Step::kLayout);
    for (int i = 0; i < t.n_groups; ++i) {
        const std::uint8_t* codes = t.codes + static_cast<std::size_t>(i) * t.code_stride;
        const float* x = reinterpret_cast<const float*>(t.tile);
        f32x16 sum[nc], part[nc];
#pragma GCC unroll 16
        for (int c = 0; c < nc; ++c) sum[c] = zero_f32();
        [[maybe_unused]] auto scales = [&] {
            if constexpr (is_integer(format)) {
                return WeightScales<format>{{t.scales + static_cast<std::size_t>(i) * t.scale_stride}};
            } else {
                return 0;
            }
        }();
        for (int g = 0; g < t.k_groups; ++g) {
#pragma GCC unroll 16
            for (int c = 0; c < nc; ++c) part[c] = zero_f32();
            if constexpr (is_integer(format)) {
                Step::template units<0>(part, codes, scales, x);
                Step::template units<1>(part, codes, scales, x);
                Step::template units<2>(part, codes, scales, x);
                Step::template units<3>(part, codes, scales, x);
                scales.next();
            } else {
                for (int k = 0; k < kKGroup; ++k) Step::column(part, Step::load_weights(codes, k), x + k);
            }
#pragma GCC unroll 16
            for (int c = 0; c < nc; ++c) sum[c] = sum[c] + part[c];
            codes += kCodeBytes;
            x += nc * kKGroup;
        }
        store_sums<nc>(sum, t, i * kRowGroup);
    }
}

// ---- Preparing activations

// 16 numbers, in units of the scale, as those from k on of row c of a record of nc rows; returns the sum of
// them as they are stored.
template <bool wide>
KVSPLIT_INLINE std::int32_t store_rounded(f32x16 x, [[maybe_unused]] int nc, int c, int k,
                                          std::uint8_t* record) {
    std::uint8_t* to = record + 32 * c + k;
    if constexpr (!wide) {
        std::int8_t* q = reinterpret_cast<std::int8_t*>(to);
        store_i8(q, x);
        return reduce_add(load_i8_i32(q));
    } else {
#if defined(KVSPLIT_WORD_PRODUCTS)
        return store_word_quads(record + 64 * c + 2 * k, to_i32(x));
#else
        const i32x16 q = to_i32(x);
        std::uint8_t* low = to + 32 * nc;
        store_low_bytes(to, shift_right_signed<8>(q + set1(std::int32_t{128})));
        store_low_bytes(low, q);
        return reduce_add(shift_left<8>(load_i8_i32(reinterpret_cast<const std::int8_t*>(to))) +
                          load_i8_i32(reinterpret_cast<const std::int8_t*>(low)));
#endif
    }
}

// One k-group, the 32 numbers of a and b, as row c of a record of nc rows.
template <bool wide>
KVSPLIT_INLINE void quantize_group(f32x16 a, f32x16 b, int nc, int c, std::uint8_t* record) {
    constexpr float kSteps = wide ? 127 * 256 : 127;
    std::uint8_t* after_codes = record + (wide ? 64 : 32) * nc;
    float* scale = reinterpret_cast<float*>(after_codes);
    std::int32_t* neg_sum = reinterpret_cast<std::int32_t*>(after_codes + 8 * nc);
    const float peak = reduce_max(max(abs(a), abs(b)));
    // Groups too small for kSteps / peak to be finite count as zero.
    const bool usable = peak > (wide ? 1e-33f : 1e-35f);
    const f32x16 inverse = set1(usable ? kSteps / peak : 0.0f);
    const float s = usable ? peak * (1.0f / kSteps) : 0.0f;
    const std::int32_t sum0 = store_rounded<wide>(a * inverse, nc, c, 0, record);
    const std::int32_t sum1 = store_rounded<wide>(b * inverse, nc, c, 16, record);
    scale[c] = s;
    scale[nc + c] = s * static_cast<float>(sum0 + sum1);
    neg_sum[c] = -(sum0 + sum1);
    neg_sum[nc + c] = -sum0;
    neg_sum[2 * nc + c] = -sum1;
}

template <bool wide>
void quantize(const float* x, std::ptrdiff_t x_stride, int nc, int g0, int g1, std::uint8_t* tile) {
    constexpr int kRecordBytes = wide ? kInt16RecordBytes : kInt8RecordBytes;
    for (int g = g0; g < g1; ++g) {
        std::uint8_t* record =
            tile + static_cast<std::size_t>(g) * static_cast<std::size_t>(nc * kRecordBytes);
        const float* row = x + static_cast<std::ptrdiff_t>(g) * kKGroup;
        for (int c = 0; c < nc; ++c, row += x_stride)
            quantize_group<wide>(load(row), load(row + 16), nc, c, record);
    }
}

void gather(const float* x, std::ptrdiff_t x_stride, int nc, int cols, int g0, int g1, std::uint8_t* tile) {
    for (int g = g0; g < g1; ++g) {
        float* record = reinterpret_cast<float*>(tile) + static_cast<std::ptrdiff_t>(g) * nc * kKGroup;
        for (int c = 0; c < nc; ++c) {
            for (int k = 0; k < kKGroup; k += 16) {
                const int at = g * kKGroup + k, left = cols - at;
                const float* from = x + c * x_stride + at;
                store(record + kKGroup * c + k, left >= 16 ? load(from)
                                                : left > 0 ? load_first(from, left)
                                                           : zero_f32());
            }
        }
    }
}

// ---- The table

// The widest tile that the registers hold: two registers per row of activations (sums of one k-group and of
// all) and the unpacked weights. Few sizes, since each is another copy of every product.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// As few as possible: with sanitizers each size takes minutes to compile.
#define KVSPLIT_INT8_TILES 2, 1
#define KVSPLIT_INT16_TILES 1
#define KVSPLIT_F32_TILES 1
#elif defined(KVSPLIT_ISA_AVX512)
#define KVSPLIT_INT8_TILES 12, 8, 4, 2, 1
#define KVSPLIT_INT16_TILES 12, 4, 1
#define KVSPLIT_F32_TILES 8, 2, 1
#elif defined(KVSPLIT_ISA_AVX2) || defined(KVSPLIT_ISA_NEON)
#define KVSPLIT_INT8_TILES 4, 2, 1
#define KVSPLIT_INT16_TILES 4, 1
#define KVSPLIT_F32_TILES 4, 1
#else
#define KVSPLIT_INT8_TILES 2, 1
#define KVSPLIT_INT16_TILES 1
#define KVSPLIT_F32_TILES 1
#endif

template <int nc, bool wide, int format>
constexpr void fill_integer(MatmulKernels::Tile& tile) {
    tile.product[format] = product_integer<static_cast<PackedFormat>(format), nc, wide>;
    if constexpr (format + 1 < kIntegerFormats) fill_integer<nc, wide, format + 1>(tile);
}

template <int nc, int format>
constexpr void fill_f32(MatmulKernels::Tile& tile) {
    tile.product[format] = product_f32<static_cast<PackedFormat>(format), nc>;
    if constexpr (format + 1 < kPackedFormats) fill_f32<nc, format + 1>(tile);
}

template <Activations activations, int... sizes>
constexpr MatmulKernels::Tiles tiles() {
    MatmulKernels::Tiles t{};
    (..., [&] {
        MatmulKernels::Tile& tile = t.tile[t.n_sizes++];
        tile.size = sizes;
        if constexpr (activations == Activations::kF32) {
            fill_f32<sizes, 0>(tile);
        } else {
            fill_integer<sizes, activations == Activations::kInt16, 0>(tile);
        }
    }());
    return t;
}

constexpr MatmulKernels matmul_kernels() {
    return {.int8 = tiles<Activations::kInt8, KVSPLIT_INT8_TILES>(),
            .int16 = tiles<Activations::kInt16, KVSPLIT_INT16_TILES>(),
            .f32 = tiles<Activations::kF32, KVSPLIT_F32_TILES>(),
            .quantize_int8 = quantize<false>,
            .quantize_int16 = quantize<true>,
            .gather = gather};
}

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
