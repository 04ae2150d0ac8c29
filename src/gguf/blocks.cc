#include "gguf/blocks.h"

#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "base/half.h"
#include "gguf/block_formats.h"
#include "gguf/grid_formats.h"

namespace kvsplit::gguf {
namespace {

template <typename Block>
constexpr int kGroups = Block::kSize / Format<Block>::kSpec.group;
template <typename Block>
constexpr int kScales = Format<Block>::kSpec.super ? 1 : kGroups<Block>;  // scales d per block

// The definition of a block's values, shared by all formats. dst: (kSize).
template <typename Block>
void dequantize_block(const Block& b, float* dst) {
    using F = Format<Block>;
    constexpr AffineSpec spec = F::kSpec;
    std::uint8_t codes[Block::kSize];
    F::codes(b, codes);
    [[maybe_unused]] std::int8_t sc[kGroups<Block>];
    [[maybe_unused]] std::uint8_t mn[kGroups<Block>];
    if constexpr (spec.super) F::scales(b, sc, mn);
    for (int g = 0; g < kGroups<Block>; ++g) {
        float scale = scale_value(spec.number, scale_bits(b, g));
        if constexpr (spec.super) scale *= static_cast<float>(sc[g]);
        scale *= spec.factor;
        float min = 0;
        if constexpr (spec.has_min && spec.super)
            min = -(f16_to_f32(load16(b.dmin)) * static_cast<float>(mn[g]));
        if constexpr (spec.has_min && !spec.super) min = f16_to_f32(load16(b.m));
        for (int i = g * spec.group; i < (g + 1) * spec.group; ++i) {
            const float product = scale * static_cast<float>(spec.level(codes[i]));
            dst[i] = spec.has_min ? product + min : product;
        }
    }
}

template <typename Block>
void unpack_blocks(const Block* blocks, std::int64_t n, AffineRow& out) {
    using F = Format<Block>;
    constexpr AffineSpec spec = F::kSpec;
    constexpr std::size_t n_groups = kGroups<Block>, n_scales = kScales<Block>;
    const auto n_blocks = static_cast<std::size_t>(n / Block::kSize);
    out.codes.resize(n_blocks * Block::kSize);
    out.d.resize(n_blocks * n_scales);
    out.m.resize(spec.has_min && !spec.super ? n_blocks : 0);
    out.dmin.resize(spec.has_min && spec.super ? n_blocks : 0);
    out.sc.resize(spec.super ? n_blocks * n_groups : 0);
    out.mn.resize(spec.super && spec.has_min ? n_blocks * n_groups : 0);
    for (std::size_t i = 0; i < n_blocks; ++i) {
        const Block& b = blocks[i];
        F::codes(b, out.codes.data() + i * Block::kSize);
        for (std::size_t g = 0; g < n_scales; ++g)
            out.d[i * n_scales + g] = scale_bits(b, static_cast<int>(g));
        if constexpr (spec.has_min && !spec.super) out.m[i] = load16(b.m);
        if constexpr (spec.has_min && spec.super) out.dmin[i] = load16(b.dmin);
        if constexpr (spec.super) {
            F::scales(b, out.sc.data() + i * n_groups, spec.has_min ? out.mn.data() + i * n_groups : nullptr);
        }
    }
}

template <typename Block>
struct BlockTag {
    using Type = Block;
};

template <typename... Blocks>
struct BlockList {
    // fn(BlockTag<BlockX>{}) for the block format of a type; false for other types.
    template <typename F>
    static bool visit(TensorType type, F&& fn) {
        return ((type == Format<Blocks>::kType && (fn(BlockTag<Blocks>{}), true)) || ...);
    }
};

using AllBlocks = BlockList<BlockQ1_0, BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0, BlockQ2_K,
                            BlockQ3_K, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockIQ4_NL, BlockIQ4_XS, BlockMXFP4,
                            BlockNVFP4, BlockTQ1_0, BlockTQ2_0, BlockIQ2_XXS, BlockIQ2_XS, BlockIQ2_S,
                            BlockIQ3_XXS, BlockIQ3_S, BlockIQ1_S, BlockIQ1_M>;

// A row as blocks. They are structs of bytes, so any alignment is fine.
template <typename Block>
const Block* blocks_at(const std::uint8_t* src, std::int64_t n) {
    static_assert(alignof(Block) == 1);
    KVSPLIT_CHECK(n >= 0 && n % Block::kSize == 0);
    return reinterpret_cast<const Block*>(src);
}

}  // namespace

void dequantize_row(TensorType type, const std::uint8_t* src, float* dst, std::int64_t n) {
    const bool packed = AllBlocks::visit(type, [&]<typename Block>(BlockTag<Block>) {
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

float scale_value(ScaleNumber number, std::uint16_t bits) {
    if (number == ScaleNumber::kF16) return f16_to_f32(bits);
    // The two smallest powers are subnormal.
    return std::bit_cast<float>(bits < 2 ? std::uint32_t{0x00200000} << bits : (bits - 1u) << 23);
}

std::optional<AffineSpec> affine_spec(TensorType type) {
    std::optional<AffineSpec> spec;
    AllBlocks::visit(type, [&]<typename Block>(BlockTag<Block>) { spec = Format<Block>::kSpec; });
    return spec;
}

void unpack_row(TensorType type, const std::uint8_t* src, std::int64_t n, AffineRow& out) {
    const bool packed = AllBlocks::visit(
        type, [&]<typename Block>(BlockTag<Block>) { unpack_blocks(blocks_at<Block>(src, n), n, out); });
    if (!packed) fail(ErrorCode::kUnsupported, "tensors of type {} have no codes", type_name(type));
}

}  // namespace kvsplit::gguf
