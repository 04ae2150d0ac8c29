#include <gtest/gtest.h>

#include <string>

#include "codec/codec.h"
#include "codec/pages.h"
#include "kvsplit/error.h"

namespace kvsplit::codec {
namespace {

std::string message_of(auto&& call) {
    try {
        call();
    } catch (const Error& e) {
        return e.what();
    }
    return "no error";
}

TEST(HeadShape, GroupsAndTransform) {
    const struct {
        int head_dim, padded, group, n_groups, hadamard;
    } cases[] = {
        {64, 64, 64, 1, 64},   {128, 128, 64, 2, 128}, {256, 256, 64, 4, 256}, {576, 576, 64, 9, 64},
        {96, 96, 48, 2, 32},   {80, 80, 80, 1, 16},    {112, 112, 112, 1, 16}, {160, 160, 32, 5, 32},
        {144, 144, 48, 3, 16}, {16, 16, 16, 1, 16},    {32, 32, 32, 1, 32},    {176, 176, 176, 1, 16},
        {72, 80, 80, 1, 16},   {1, 16, 16, 1, 16},     {100, 112, 112, 1, 16}, {120, 128, 64, 2, 128},
        {8, 16, 16, 1, 16},    {60, 64, 64, 1, 64},    {208, 208, 208, 1, 16}, {1023, 1024, 64, 16, 1024},
    };
    for (const auto& c : cases) {
        const HeadShape s = head_shape(c.head_dim);
        EXPECT_EQ(s.head_dim, c.head_dim);
        EXPECT_EQ(s.padded_dim, c.padded) << c.head_dim;
        EXPECT_EQ(s.group, c.group) << c.head_dim;
        EXPECT_EQ(s.n_groups, c.n_groups) << c.head_dim;
        EXPECT_EQ(s.hadamard_size, c.hadamard) << c.head_dim;
    }
}

TEST(HeadShape, Refusals) {
    EXPECT_THROW(head_shape(0), Error);
    EXPECT_THROW(head_shape(-64), Error);
    EXPECT_THROW(head_shape(kMaxHeadDim + 1), Error);
    EXPECT_EQ(message_of([] {
                  page_layout({7, 4}, head_shape(64), 2, 0);
              }),
              "key width 7: must be 32, 16, 8, 6, 5, 4, 3 or 2 bits");
    EXPECT_THROW(page_layout({8, 4}, head_shape(64), 0, 0), Error);
}

TEST(PageLayout, FirstPageK8V4) {
    const PageLayout l = page_layout({8, 4}, head_shape(128), 3, test::kSinks);
    const auto expect = [](const PageArray& array, std::size_t offset, std::size_t stride,
                           std::size_t bytes) {
        EXPECT_EQ(array.offset, offset);
        EXPECT_EQ(array.stride, stride);
        EXPECT_EQ(array.bytes, bytes);
    };
    expect(l.key_mean_scales, 0, 2, 2);
    expect(l.key_means, 3 * 2, 128, 128);
    const std::size_t first = 448, block = 8192 + 256 + 256 + 4096;  // 3 * (2 + 128) rounded up to 64
    expect(l.blocks, first, block, block);
    expect(l.key_codes, first, block, 8192);
    expect(l.key_scales, first + 8192, block, 256);
    expect(l.value_scales, first + 8448, block, 256);
    expect(l.value_codes, first + 8704, block, 4096);
    const std::size_t sinks = first + 3 * block;
    expect(l.sink_keys, sinks, 4 * 128 * 2, 4 * 128 * 2);
    expect(l.sink_values, sinks + 3 * 1024, 4 * 128 * 2, 4 * 128 * 2);
    EXPECT_EQ(l.bytes, sinks + 6 * 1024);
    EXPECT_EQ(l.key_bytes, 3 * (8192 + 256 + 128 + 2u));
    EXPECT_EQ(l.value_bytes, 3 * (4096 + 256u));
}

TEST(PageLayout, OpenPageIsBare) {
    for (int dim : {64, 72, 80, 128}) {
        for (bool first : {false, true}) {
            const HeadShape s = head_shape(dim);
            const PageLayout l = page_layout({16, 16}, s, 2, first ? test::kSinks : 0);
            EXPECT_EQ(l.key_bytes, 2u * static_cast<std::size_t>(dim) * 128);
            EXPECT_EQ(l.value_bytes, 2u * static_cast<std::size_t>(s.padded_dim) * 128);
            EXPECT_EQ(l.bytes, l.key_bytes + l.value_bytes);
            EXPECT_EQ(l.sink_keys.bytes + l.sink_values.bytes + l.key_scales.bytes, 0u);
        }
    }
}

TEST(PageLayout, EveryPairAddsUpAndIsAligned) {
    for (int dim : {1, 8, 16, 60, 64, 80, 96, 99, 100, 128, 176, 256}) {
        for (int k : kv_widths()) {
            for (int v : kv_widths()) {
                for (int heads : {1, 3, 8}) {
                    const HeadShape s = head_shape(dim);
                    const PageLayout first = page_layout({k, v}, s, heads, test::kSinks),
                                     later = page_layout({k, v}, s, heads, 0);
                    for (const PageLayout& l : {first, later}) {
                        EXPECT_EQ(l.bytes % 64, 0u);
                        for (const PageArray& array :
                             {l.blocks, l.key_codes, l.key_scales, l.value_scales, l.value_codes}) {
                            EXPECT_EQ(array.offset % 64 + array.stride % 64, 0u);
                        }
                        EXPECT_EQ(l.key_bytes + l.value_bytes + l.exact_bytes, l.bytes);
                        EXPECT_EQ(l.key_mean_scales.offset % 2 + l.sink_keys.offset % 2, 0u);
                    }
                    EXPECT_EQ(first.key_bytes, later.key_bytes);
                    EXPECT_EQ(first.value_bytes, later.value_bytes);
                    EXPECT_LT(later.exact_bytes, 64u);
                    const int sink_dims = (k != 16 ? dim : 0) + (v != 16 ? s.padded_dim : 0);
                    const std::size_t sinks =
                        std::size_t{4 * 2} * static_cast<std::size_t>(sink_dims * heads);
                    EXPECT_GE(first.exact_bytes, sinks);
                    EXPECT_LT(first.exact_bytes, sinks + 128);  // after the header, and at the end
                }
            }
        }
    }
}

TEST(PageLayout, BitsPerElement) {
    const HeadShape s = head_shape(64);
    EXPECT_DOUBLE_EQ(key_bits_per_element(8, s), 8 + 16.0 / 64 + 8.0 / 64 + 16.0 / (64 * 64));
    EXPECT_DOUBLE_EQ(key_bits_per_element(4, s), 4 + 16.0 / 64 + 8.0 / 64 + 16.0 / (64 * 64));
    EXPECT_DOUBLE_EQ(value_bits_per_element(8, s), 8.25);
    EXPECT_DOUBLE_EQ(value_bits_per_element(4, s), 4.25);
    for (int bits : test::kCodedWidths) {
        EXPECT_DOUBLE_EQ(value_bits_per_element(bits, s), bits + 0.25);
        EXPECT_DOUBLE_EQ(value_bits_per_element(bits, head_shape(80)), bits + 0.2);
        EXPECT_DOUBLE_EQ(key_bits_per_element(bits, head_shape(128)), bits + 0.375 + 16.0 / (64 * 128));
    }
    // Keys of 80 channels are 20 quads: two and a half blocks of a plane of one bit, stored as three.
    EXPECT_DOUBLE_EQ(key_bits_per_element(5, head_shape(80)),
                     4 + 3 * 32.0 / 80 + 16.0 / 80 + 8.0 / 64 + 16.0 / (64 * 80));
    EXPECT_DOUBLE_EQ(key_bits_per_element(16, s), 16);
    EXPECT_DOUBLE_EQ(value_bits_per_element(16, s), 16);
    EXPECT_DOUBLE_EQ(value_bits_per_element(16, head_shape(72)), 16.0 * 80 / 72);
    EXPECT_DOUBLE_EQ(value_bits_per_element(4, head_shape(80)), 4.2);
}

// What pads a head is stored, so it is counted: codes, scales and means are those of a head of 112.
TEST(PageLayout, PaddingCounts) {
    const HeadShape head = head_shape(100), padded = head_shape(112);
    for (const int bits : test::kCodedWidths) {
        EXPECT_EQ(page_layout({bits, bits}, head, 3, 0).bytes, page_layout({bits, bits}, padded, 3, 0).bytes);
        EXPECT_DOUBLE_EQ(key_bits_per_element(bits, head), key_bits_per_element(bits, padded) * 1.12);
        EXPECT_DOUBLE_EQ(value_bits_per_element(bits, head), (bits + 16.0 / 112) * 1.12);
    }
    EXPECT_DOUBLE_EQ(key_bits_per_element(16, head), 16);
}

// DeepSeek V2's and V3's: what is key and value is counted once.
TEST(PageLayout, LatentsAreKeptOnce) {
    const KvHead head = KvHead::of_latent(64, 512);
    EXPECT_EQ(head.query_dim(), 576);
    EXPECT_EQ(head.token_dim(), 576);
    EXPECT_EQ(page_layout({16, 16}, head, 1, 0).bytes, std::size_t{kPageTokens} * 1152);
    EXPECT_EQ(page_layout({32, 32}, head, 1, 0).bytes, std::size_t{kPageTokens} * 2304);
    for (const int k : test::kCodedWidths) {
        for (const int v : test::kCodedWidths) {
            const auto bits = [](int width) { return static_cast<std::size_t>(width); };
            const PageLayout l = page_layout({k, v}, head, 1, 0);
            // Codes, a scale of 16 bits for 64 channels of a token, and the means of the page.
            EXPECT_EQ(l.key_bytes, 64 * (512 * bits(k) + 8 * 16) / 8 + 512 + 2);
            EXPECT_EQ(l.value_bytes, 64 * (64 * bits(v) + 16) / 8 + 64 + 2);
            EXPECT_EQ(l.bytes, l.key_bytes + l.value_bytes + l.exact_bytes);
            EXPECT_LT(l.exact_bytes, 128u);
            EXPECT_DOUBLE_EQ(key_bits_per_element(k, head), k + 16.0 / 64 + 8.0 / 64 + 16.0 / (64 * 512));
            EXPECT_DOUBLE_EQ(value_bits_per_element(v, head), v + 16.0 / 64 + 8.0 / 64 + 16.0 / (64 * 64));
        }
    }
}

}  // namespace
}  // namespace kvsplit::codec
