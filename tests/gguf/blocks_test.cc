// Weight blocks against the `gguf` package's dequantisation, see scripts/oracles/gguf_blocks.py.
#include "gguf/blocks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/half.h"
#include "gguf/block_structs.h"
#include "kvsplit/error.h"

namespace kvsplit::gguf {
namespace {

struct Golden {
    std::int64_t n = 0;                // elements
    std::vector<std::uint8_t> packed;  // with one byte in front: blocks must work at odd addresses
    std::vector<float> values;         // (n)
};

Golden load_golden(TensorType type) {
    const std::string path =
        std::string(KVSPLIT_TEST_DATA) + "/gguf_blocks/" + std::string(type_name(type)) + ".bin";
    std::ifstream in(path, std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), {});
    const auto stride = static_cast<std::size_t>(block_bytes(type) + 4 * block_size(type));
    EXPECT_TRUE(!bytes.empty() && bytes.size() % stride == 0) << path;
    const std::size_t n_blocks = bytes.size() / stride;
    const std::size_t packed = n_blocks * static_cast<std::size_t>(block_bytes(type));
    Golden g;
    g.n = static_cast<std::int64_t>(n_blocks) * block_size(type);
    g.packed.resize(1 + packed);
    g.values.resize(static_cast<std::size_t>(g.n));
    std::memcpy(g.packed.data() + 1, bytes.data(), packed);
    std::memcpy(g.values.data(), bytes.data() + packed, bytes.size() - packed);
    return g;
}

// Equal bits; any two NaNs are equal, because processors produce different ones.
void expect_same(const std::vector<float>& got, const std::vector<float>& want) {
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (std::isnan(want[i]) && std::isnan(got[i])) continue;
        ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(want[i]))
            << "element " << i << ": " << got[i] << " instead of " << want[i];
    }
}

// The formulas of AffineRow's comment.
std::vector<float> rebuild(const AffineSpec& spec, const AffineRow& row) {
    std::vector<float> values(row.codes.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t block = i / 256, group = i / static_cast<std::size_t>(spec.group);
        float scale = scale_value(spec.number, row.d[spec.super ? block : group]);
        if (spec.super) scale *= static_cast<float>(row.sc[group]);
        values[i] = scale * spec.factor * static_cast<float>(spec.level(row.codes[i]));
        if (spec.has_min && !spec.super) values[i] += f16_to_f32(row.m[group]);
        if (spec.has_min && spec.super)
            values[i] -= f16_to_f32(row.dmin[block]) * static_cast<float>(row.mn[group]);
    }
    return values;
}

// Three values take two bits; one combination does not occur.
unsigned largest_code(TensorType type, const AffineSpec& spec) {
    switch (type) {
        case TensorType::kTQ1_0:
            return 2;
        case TensorType::kIQ2_XXS:
        case TensorType::kIQ2_XS:
        case TensorType::kIQ2_S:
        case TensorType::kIQ1_S:
        case TensorType::kIQ1_M:
            return 6;
        default:
            return (1u << spec.bits) - 1;
    }
}

class Blocks : public testing::TestWithParam<TensorType> {};

TEST_P(Blocks, DequantizeAsTheOracle) {
    const Golden g = load_golden(GetParam());
    std::vector<float> got(static_cast<std::size_t>(g.n));
    dequantize_row(GetParam(), g.packed.data() + 1, got.data(), g.n);
    expect_same(got, g.values);
}

TEST_P(Blocks, CodesAndScalesRebuildTheValues) {
    const auto spec = affine_spec(GetParam());
    AffineRow row;
    const Golden g = load_golden(GetParam());
    if (!spec) {
        EXPECT_EQ(block_size(GetParam()), 1);
        EXPECT_THROW(unpack_row(GetParam(), g.packed.data() + 1, g.n, row), Error);
        return;
    }
    // A row of another shape first: vectors are reused and must not keep old contents.
    const Golden other = load_golden(TensorType::kQ4_K);
    unpack_row(TensorType::kQ4_K, other.packed.data() + 1, other.n, row);
    unpack_row(GetParam(), g.packed.data() + 1, g.n, row);
    expect_same(rebuild(*spec, row), g.values);
    unsigned largest = 0;
    for (const unsigned code : row.codes) largest = std::max(largest, code);
    EXPECT_EQ(largest, largest_code(GetParam(), *spec));  // random blocks reach every code
    const auto n = static_cast<std::size_t>(g.n);
    const std::size_t n_groups = n / static_cast<std::size_t>(spec->group);
    EXPECT_EQ(row.d.size(), spec->super ? n / 256 : n_groups);
    EXPECT_EQ(row.m.size(), spec->has_min && !spec->super ? n_groups : 0);
    EXPECT_EQ(row.dmin.size(), spec->has_min && spec->super ? n / 256 : 0);
    EXPECT_EQ(row.sc.size(), spec->super ? n_groups : 0);
    EXPECT_EQ(row.mn.size(), spec->super && spec->has_min ? n_groups : 0);
}

INSTANTIATE_TEST_SUITE_P(AllTypes, Blocks,
                         testing::Values(TensorType::kF32, TensorType::kF16, TensorType::kBF16,
                                         TensorType::kQ1_0, TensorType::kQ4_0, TensorType::kQ4_1,
                                         TensorType::kQ5_0, TensorType::kQ5_1, TensorType::kQ8_0,
                                         TensorType::kQ2_K, TensorType::kQ3_K, TensorType::kQ4_K,
                                         TensorType::kQ5_K, TensorType::kQ6_K, TensorType::kIQ4_NL,
                                         TensorType::kIQ4_XS, TensorType::kMXFP4, TensorType::kNVFP4,
                                         TensorType::kTQ1_0, TensorType::kTQ2_0, TensorType::kIQ2_XXS,
                                         TensorType::kIQ2_XS, TensorType::kIQ2_S, TensorType::kIQ3_XXS,
                                         TensorType::kIQ3_S, TensorType::kIQ1_S, TensorType::kIQ1_M),
                         [](const auto& test) { return std::string(type_name(test.param)); });

template <typename Block>
void expect_size(TensorType type) {
    EXPECT_EQ(block_bytes(type), static_cast<std::int64_t>(sizeof(Block))) << type_name(type);
    EXPECT_EQ(block_size(type), Block::kSize) << type_name(type);
}

TEST(BlockTypes, SizesMatchTheStructs) {
    expect_size<BlockQ1_0>(TensorType::kQ1_0);
    expect_size<BlockQ4_0>(TensorType::kQ4_0);
    expect_size<BlockQ4_1>(TensorType::kQ4_1);
    expect_size<BlockQ5_0>(TensorType::kQ5_0);
    expect_size<BlockQ5_1>(TensorType::kQ5_1);
    expect_size<BlockQ8_0>(TensorType::kQ8_0);
    expect_size<BlockQ2_K>(TensorType::kQ2_K);
    expect_size<BlockQ3_K>(TensorType::kQ3_K);
    expect_size<BlockQ4_K>(TensorType::kQ4_K);
    expect_size<BlockQ5_K>(TensorType::kQ5_K);
    expect_size<BlockQ6_K>(TensorType::kQ6_K);
    expect_size<BlockIQ4_NL>(TensorType::kIQ4_NL);
    expect_size<BlockIQ4_XS>(TensorType::kIQ4_XS);
    expect_size<BlockMXFP4>(TensorType::kMXFP4);
    expect_size<BlockNVFP4>(TensorType::kNVFP4);
    expect_size<BlockTQ1_0>(TensorType::kTQ1_0);
    expect_size<BlockTQ2_0>(TensorType::kTQ2_0);
    expect_size<BlockIQ2_XXS>(TensorType::kIQ2_XXS);
    expect_size<BlockIQ2_XS>(TensorType::kIQ2_XS);
    expect_size<BlockIQ2_S>(TensorType::kIQ2_S);
    expect_size<BlockIQ3_XXS>(TensorType::kIQ3_XXS);
    expect_size<BlockIQ3_S>(TensorType::kIQ3_S);
    expect_size<BlockIQ1_S>(TensorType::kIQ1_S);
    expect_size<BlockIQ1_M>(TensorType::kIQ1_M);
}

TEST(BlockTypes, UnsupportedTypesAreRefusedByName) {
    float value = 0;
    const std::uint8_t byte = 0;
    try {
        dequantize_row(TensorType::kQ8_K, &byte, &value, 0);
        FAIL();
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), ErrorCode::kUnsupported);
        EXPECT_NE(std::string(e.what()).find("Q8_K"), std::string::npos);
    }
    EXPECT_EQ(block_size(static_cast<TensorType>(31)), 0);
    EXPECT_EQ(type_name(static_cast<TensorType>(31)), "unknown");
}

}  // namespace
}  // namespace kvsplit::gguf
