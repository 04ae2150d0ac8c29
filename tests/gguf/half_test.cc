#include "base/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace kvsplit {
namespace {

// The value of 16 bits by the definition of binary16, in double.
double meaning(unsigned bits) {
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const int fraction = static_cast<int>(bits & 1023);
    const double sign = bits & 0x8000 ? -1 : 1;
    if (exponent == 31) return fraction ? std::nan("") : sign * std::numeric_limits<double>::infinity();
    if (exponent == 0) return sign * std::ldexp(fraction, -24);
    return sign * std::ldexp(1024 + fraction, exponent - 25);
}

TEST(Half, EveryHalfHasItsMeaningAndComesBack) {
    for (unsigned bits = 0; bits < 65536; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits);
        const float value = f16_to_f32(half);
        EXPECT_EQ(std::bit_cast<std::uint32_t>(value),
                  std::bit_cast<std::uint32_t>(f16_to_f32_portable(half)));
        if (std::isnan(meaning(bits))) {
            EXPECT_TRUE(std::isnan(value));
            EXPECT_EQ(f32_to_f16(value), half | 0x200u);  // quiet
            EXPECT_EQ(f32_to_f16_portable(value), half | 0x200u);
        } else {
            EXPECT_EQ(static_cast<double>(value), meaning(bits)) << bits;
            EXPECT_EQ(f32_to_f16(value), half);
            EXPECT_EQ(f32_to_f16_portable(value), half);
        }
        if (HasNonfatalFailure()) FAIL() << bits;
    }
}

// Midpoints between neighbours go to the even one; a little less or more to the nearer one.
TEST(Half, RoundsToNearestEven) {
    for (unsigned bits = 0; bits < 0x7c00; ++bits) {
        const double upper = bits == 0x7bff ? 65536.0 : meaning(bits + 1);
        const auto middle = static_cast<float>((meaning(bits) + upper) / 2);
        const unsigned even = bits & 1 ? bits + 1 : bits;
        for (const bool negative : {false, true}) {
            const auto convert = [&](float value) {
                const float signed_value = negative ? -value : value;
                EXPECT_EQ(f32_to_f16(signed_value), f32_to_f16_portable(signed_value));
                return f32_to_f16(signed_value) & 0x7fffu;
            };
            ASSERT_EQ(convert(middle), even) << bits;
            ASSERT_EQ(convert(std::nextafter(middle, 0.0f)), bits) << bits;
            ASSERT_EQ(convert(std::nextafter(middle, 1e9f)), bits + 1) << bits;
        }
    }
    EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::max()), 0x7c00);
    EXPECT_EQ(f32_to_f16(-std::numeric_limits<float>::infinity()), 0xfc00);
    EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::denorm_min()), 0);
    EXPECT_EQ(f32_to_f16(-0.0f), 0x8000);
}

TEST(Half, Bfloat16IsTheUpperHalfOfAFloat) {
    EXPECT_EQ(bf16_to_f32(0x3f80), 1.0f);
    EXPECT_EQ(bf16_to_f32(0xc049), -3.140625f);
    EXPECT_EQ(bf16_to_f32(0x0001), std::bit_cast<float>(0x10000u));
}

}  // namespace
}  // namespace kvsplit
