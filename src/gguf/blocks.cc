#include "gguf/blocks.h"

#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "base/half.h"

namespace kvsplit::gguf {
namespace {

std::uint16_t load16(const std::uint8_t* p) { return static_cast<std::uint16_t>(p[0] | p[1] << 8); }
std::uint32_t load32(const std::uint8_t* p) {
    return load16(p) | static_cast<std::uint32_t>(load16(p + 2)) << 16;
}

// What a format is, beyond its layout: how codes, scales and minima come out of a block. codes() writes kSize
// unsigned codes. Super formats write their integer scales, and minima, with scales().
template <typename Block>
struct Format;

void low_high_nibbles(const std::uint8_t* qs, int n, std::uint8_t* out) {
    for (int j = 0; j < n; ++j) {
        out[j] = qs[j] & 15;
        out[n + j] = qs[j] >> 4;
    }
}

void add_fifth_bits(const std::uint8_t* qh, std::uint8_t* codes) {
    const std::uint32_t bits = load32(qh);
    for (int i = 0; i < 32; ++i) codes[i] = static_cast<std::uint8_t>(codes[i] | (bits >> i & 1) << 4);
}

template <>
struct Format<BlockQ4_0> {
    static constexpr AffineSpec kSpec{4, 32, 8, false, false};
    static void codes(const BlockQ4_0& b, std::uint8_t* out) { low_high_nibbles(b.qs, 16, out); }
};

template <>
struct Format<BlockQ4_1> {
    static constexpr AffineSpec kSpec{4, 32, 0, true, false};
    static void codes(const BlockQ4_1& b, std::uint8_t* out) { low_high_nibbles(b.qs, 16, out); }
};

template <>
struct Format<BlockQ5_0> {
    static constexpr AffineSpec kSpec{5, 32, 16, false, false};
    static void codes(const BlockQ5_0& b, std::uint8_t* out) {
        low_high_nibbles(b.qs, 16, out);
        add_fifth_bits(b.qh, out);
    }
};

template <>
struct Format<BlockQ5_1> {
    static constexpr AffineSpec kSpec{5, 32, 0, true, false};
    static void codes(const BlockQ5_1& b, std::uint8_t* out) {
        low_high_nibbles(b.qs, 16, out);
        add_fifth_bits(b.qh, out);
    }
};

template <>
struct Format<BlockQ8_0> {
    static constexpr AffineSpec kSpec{8, 32, 128, false, false};
    static void codes(const BlockQ8_0& b, std::uint8_t* out) {
        for (int i = 0; i < 32; ++i) out[i] = b.qs[i] ^ 0x80;  // signed q + 128
    }
};

void unpack_6bit_pairs(const std::uint8_t* packed, std::int8_t* sc, std::uint8_t* mn) {
    for (int g = 0; g < 4; ++g) {
        const std::uint8_t a = packed[g], b = packed[4 + g], low = packed[8 + g];
        sc[g] = a & 63;
        mn[g] = b & 63;
        sc[4 + g] = static_cast<std::int8_t>((low & 15) | (a >> 6) << 4);
        mn[4 + g] = static_cast<std::uint8_t>((low >> 4) | (b >> 6) << 4);
    }
}

template <>
struct Format<BlockQ4_K> {
    static constexpr AffineSpec kSpec{4, 32, 0, true, true};
    static void codes(const BlockQ4_K& b, std::uint8_t* out) {
        for (int c = 0; c < 4; ++c) low_high_nibbles(b.qs + 32 * c, 32, out + 64 * c);
    }
    static void scales(const BlockQ4_K& b, std::int8_t* sc, std::uint8_t* mn) {
        unpack_6bit_pairs(b.scales, sc, mn);
    }
};

template <>
struct Format<BlockQ5_K> {
    static constexpr AffineSpec kSpec{5, 32, 0, true, true};
    static void codes(const BlockQ5_K& b, std::uint8_t* out) {
        for (int c = 0; c < 4; ++c) low_high_nibbles(b.qs + 32 * c, 32, out + 64 * c);
        for (int i = 0; i < 256; ++i) {
            out[i] = static_cast<std::uint8_t>(out[i] | (b.qh[i % 32] >> (i / 32) & 1) << 4);
        }
    }
    static void scales(const BlockQ5_K& b, std::int8_t* sc, std::uint8_t* mn) {
        unpack_6bit_pairs(b.scales, sc, mn);
    }
};

template <>
struct Format<BlockQ6_K> {
    static constexpr AffineSpec kSpec{6, 16, 32, false, true};
    static void codes(const BlockQ6_K& b, std::uint8_t* out) {
        for (int h = 0; h < 2; ++h) {
            std::uint8_t* half = out + 128 * h;
            low_high_nibbles(b.ql + 64 * h, 64, half);
            for (int i = 0; i < 128; ++i) {
                half[i] =
                    static_cast<std::uint8_t>(half[i] | (b.qh[32 * h + i % 32] >> (i / 32 * 2) & 3) << 4);
            }
        }
    }
    static void scales(const BlockQ6_K& b, std::int8_t* sc, std::uint8_t*) { std::memcpy(sc, b.sc, 16); }
};

// The definition of a block's values, shared by all formats. dst: (kSize).
template <typename Block>
void dequantize_block(const Block& b, float* dst) {
    using F = Format<Block>;
    constexpr AffineSpec spec = F::kSpec;
    std::uint8_t codes[Block::kSize];
    F::codes(b, codes);
    const float d = f16_to_f32(load16(b.d));
    if constexpr (!spec.super) {
        float m = 0;
        if constexpr (spec.has_min) m = f16_to_f32(load16(b.m));
        for (int i = 0; i < Block::kSize; ++i) {
            const float product = d * static_cast<float>(codes[i] - spec.zero);
            dst[i] = spec.has_min ? product + m : product;
        }
    } else {
        std::int8_t sc[Block::kSize / spec.group];
        std::uint8_t mn[Block::kSize / spec.group];
        F::scales(b, sc, mn);
        float dmin = 0;
        if constexpr (spec.has_min) dmin = f16_to_f32(load16(b.dmin));
        for (int g = 0; g < Block::kSize / spec.group; ++g) {
            const float scale = d * static_cast<float>(sc[g]);
            float min = 0;
            if constexpr (spec.has_min) min = dmin * static_cast<float>(mn[g]);
            for (int i = g * spec.group; i < (g + 1) * spec.group; ++i) {
                const float product = scale * static_cast<float>(codes[i] - spec.zero);
                dst[i] = spec.has_min ? product - min : product;
            }
        }
    }
}

template <typename Block>
void unpack_blocks(const Block* blocks, std::int64_t n, AffineRow& out) {
    using F = Format<Block>;
    constexpr AffineSpec spec = F::kSpec;
    const auto n_blocks = static_cast<std::size_t>(n / Block::kSize);
    constexpr std::size_t kGroups = Block::kSize / spec.group;
    out.codes.resize(n_blocks * Block::kSize);
    out.d.resize(n_blocks);
    out.m.resize(spec.has_min && !spec.super ? n_blocks : 0);
    out.dmin.resize(spec.has_min && spec.super ? n_blocks : 0);
    out.sc.resize(spec.super ? n_blocks * kGroups : 0);
    out.mn.resize(spec.super && spec.has_min ? n_blocks * kGroups : 0);
    for (std::size_t i = 0; i < n_blocks; ++i) {
        const Block& b = blocks[i];
        F::codes(b, out.codes.data() + i * Block::kSize);
        out.d[i] = load16(b.d);
        if constexpr (spec.has_min && !spec.super) out.m[i] = load16(b.m);
        if constexpr (spec.has_min && spec.super) out.dmin[i] = load16(b.dmin);
        if constexpr (spec.super) {
            F::scales(b, out.sc.data() + i * kGroups, spec.has_min ? out.mn.data() + i * kGroups : nullptr);
        }
    }
}

template <typename Block>
struct BlockTag {
    using Type = Block;
};

// fn(BlockTag<BlockX>{}) for the block format of a type; false for other types.
template <typename F>
bool with_block(TensorType type, F&& fn) {
    switch (type) {
        case TensorType::kQ4_0:
            return fn(BlockTag<BlockQ4_0>{}), true;
        case TensorType::kQ4_1:
            return fn(BlockTag<BlockQ4_1>{}), true;
        case TensorType::kQ5_0:
            return fn(BlockTag<BlockQ5_0>{}), true;
        case TensorType::kQ5_1:
            return fn(BlockTag<BlockQ5_1>{}), true;
        case TensorType::kQ8_0:
            return fn(BlockTag<BlockQ8_0>{}), true;
        case TensorType::kQ4_K:
            return fn(BlockTag<BlockQ4_K>{}), true;
        case TensorType::kQ5_K:
            return fn(BlockTag<BlockQ5_K>{}), true;
        case TensorType::kQ6_K:
            return fn(BlockTag<BlockQ6_K>{}), true;
        default:
            return false;
    }
}

// The first of the row's blocks: byte-aligned structs, so any address will do.
template <typename Block>
const Block* blocks_at(const std::uint8_t* src, std::int64_t n) {
    static_assert(alignof(Block) == 1);
    KVSPLIT_CHECK(n >= 0 && n % Block::kSize == 0);
    return reinterpret_cast<const Block*>(src);
}

}  // namespace

void dequantize_row(TensorType type, const std::uint8_t* src, float* dst, std::int64_t n) {
    const bool packed = with_block(type, [&]<typename Block>(BlockTag<Block>) {
        const Block* blocks = blocks_at<Block>(src, n);
        for (std::int64_t i = 0; i < n / Block::kSize; ++i)
            dequantize_block(blocks[i], dst + i * Block::kSize);
    });
    if (packed) return;
    switch (type) {
        case TensorType::kF32:
            if (n > 0) std::memcpy(dst, src, static_cast<std::size_t>(n) * sizeof(float));
            return;
        case TensorType::kF16:
            for (std::int64_t i = 0; i < n; ++i) dst[i] = f16_to_f32(load16(src + 2 * i));
            return;
        case TensorType::kBF16:
            for (std::int64_t i = 0; i < n; ++i) dst[i] = bf16_to_f32(load16(src + 2 * i));
            return;
        default:
            fail(ErrorCode::kUnsupported, "tensors of type {} cannot be read", type_name(type));
    }
}

std::optional<AffineSpec> affine_spec(TensorType type) {
    std::optional<AffineSpec> spec;
    with_block(type, [&]<typename Block>(BlockTag<Block>) { spec = Format<Block>::kSpec; });
    return spec;
}

void unpack_row(TensorType type, const std::uint8_t* src, std::int64_t n, AffineRow& out) {
    const bool packed = with_block(
        type, [&]<typename Block>(BlockTag<Block>) { unpack_blocks(blocks_at<Block>(src, n), n, out); });
    if (!packed) fail(ErrorCode::kUnsupported, "tensors of type {} have no codes", type_name(type));
}

}  // namespace kvsplit::gguf
