// The fast page encoders against the scalar definition: every byte of the page equal.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/sets_and_heads.h"
#include "codec/pages.h"
#include "codec/reference.h"

namespace kvsplit::cpu {
namespace {

using namespace codec;

class SealOfHeads : public ::testing::TestWithParam<test::SetAndHead> {};

TEST_P(SealOfHeads, EqualsReferenceBitForBit) {
    const auto [isa, head_dim] = GetParam();
    const SealKernels& seal = kernels(isa).seal;
    const HeadShape shape = head_shape(head_dim);
    for (codec::test::PageKind kind : codec::test::kPageKinds) {
        const unsigned seed = static_cast<unsigned>(head_dim) + static_cast<unsigned>(kind);
        const auto tokens = codec::test::make_tokens(kind, head_dim, seed);
        const auto keys = codec::test::open_keys(tokens, head_dim),
                   values = codec::test::open_values(tokens, shape);
        const auto smoothing = codec::test::make_smoothing(head_dim, seed);
        for (int bits : codec::test::kCodedWidths) {
            for (bool first_page : {false, true}) {
                KvCodec codec;
                if (seed % 3 == 0) codec.mean = codec.rotation = codec.search = false;
                const PageLayout layout =
                    page_layout({bits, bits}, shape, 2, first_page ? codec::test::kSinks : 0, codec);
                std::vector<std::uint8_t> expected(layout.bytes, 0x5a), page = expected;
                const int head = bits == 8 ? 1 : 0;
                encode_key_page(layout, head, keys.data(), smoothing.data(), expected.data());
                encode_value_page(layout, head, values.data(), expected.data());
                seal.key_page(layout, head, keys.data(), smoothing.data(), page.data());
                seal.value_page(layout, head, values.data(), page.data());
                std::size_t differing = 0;
                for (std::size_t i = 0; i < page.size(); ++i) differing += page[i] != expected[i];
                ASSERT_EQ(differing, 0u) << "kind " << static_cast<int>(kind) << ", " << bits
                                         << " bits, first page " << first_page;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Isas, SealOfHeads,
                         test::sets_and_heads({1,   7,   8,   16,  24,  32,  40,  48,  56,
                                               60,  64,  72,  80,  88,  96,  99,  100, 104,
                                               112, 120, 127, 128, 160, 176, 192, 256, 576}),
                         test::set_and_head);

class Seal : public ::testing::TestWithParam<CpuIsa> {};

TEST_P(Seal, SixteenBitsIsACopy) {
    const SealKernels& seal = kernels(GetParam()).seal;
    const HeadShape shape = head_shape(72);
    const auto tokens = codec::test::make_tokens(codec::test::PageKind::kNoise, 72, 1);
    const auto keys = codec::test::open_keys(tokens, 72), values = codec::test::open_values(tokens, shape);
    const std::vector<float> smoothing(72, 1.0f);
    const PageLayout layout = page_layout({16, 16}, shape, 2, codec::test::kSinks);
    std::vector<std::uint8_t> expected(layout.bytes, 0x5a), page = expected;
    encode_key_page(layout, 1, keys.data(), smoothing.data(), expected.data());
    encode_value_page(layout, 1, values.data(), expected.data());
    seal.key_page(layout, 1, keys.data(), smoothing.data(), page.data());
    seal.value_page(layout, 1, values.data(), page.data());
    EXPECT_EQ(page, expected);
}

TEST_P(Seal, LatentsEqualReferenceBitForBit) {
    const SealKernels& seal = kernels(GetParam()).seal;
    for (const auto& [rotary, rank] : {std::pair{64, 512}, {32, 96}, {8, 100}}) {
        const KvHead head = KvHead::of_latent(rotary, rank);
        for (codec::test::PageKind kind : codec::test::kPageKinds) {
            const auto values = codec::test::open_values(codec::test::make_tokens(kind, rank, 3), head.value);
            for (int bits : codec::test::kCodedWidths) {
                for (bool first_page : {false, true}) {
                    KvCodec codec;
                    codec.mean = bits != 5;
                    const PageLayout layout =
                        page_layout({bits, bits}, head, 1, first_page ? codec::test::kSinks : 0, codec);
                    std::vector<std::uint8_t> expected(layout.bytes, 0x5a), page = expected;
                    encode_value_page(layout, 0, values.data(), expected.data());
                    seal.value_page(layout, 0, values.data(), page.data());
                    ASSERT_TRUE(page == expected) << "latent " << rank << ", kind " << static_cast<int>(kind)
                                                  << ", " << bits << " bits, first page " << first_page;
                }
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Isa, Seal, ::testing::ValuesIn(available_isas()),
                         [](const auto& isa) { return std::string(isa_name(isa.param)); });

}  // namespace
}  // namespace kvsplit::cpu
