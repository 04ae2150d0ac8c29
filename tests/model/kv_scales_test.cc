// Which scales keys and values get.
#include "model/kv_scales.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace kvsplit {
namespace {

TEST(KvScale, UsualMagnitudesStay) {
    for (const float m : {0.0f, 0.002f, 0.05f, 1.0f, 30.0f, 511.0f}) EXPECT_EQ(kv_scale(m), 1.0f) << m;
    EXPECT_EQ(kv_scale(std::numeric_limits<float>::infinity()), 1.0f);
    EXPECT_EQ(kv_scale(std::numeric_limits<float>::quiet_NaN()), 1.0f);
}

TEST(KvScale, OthersComeIntoTheRange) {
    for (float m = 600; m < 1e37f; m *= 3) {
        EXPECT_LT(m * kv_scale(m), 512.0f) << m;
        EXPECT_GE(m * kv_scale(m), 256.0f) << m;
        int exponent = 0;
        EXPECT_EQ(std::frexp(kv_scale(m), &exponent), 0.5f);
    }
    for (float m = 0.0009f; m > 1e-29f; m /= 3) {
        EXPECT_LT(m * kv_scale(m), 1.0f) << m;
        EXPECT_GE(m * kv_scale(m), 0.5f) << m;
    }
    EXPECT_TRUE(std::isfinite(1 / kv_scale(1e-38f)));
}

}  // namespace
}  // namespace kvsplit
