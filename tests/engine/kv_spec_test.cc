#include "kvsplit/kv_spec.h"

#include <gtest/gtest.h>

#include "kvsplit/error.h"

namespace kvsplit {
namespace {

TEST(KvSpec, DefaultIsK8V4) {
    EXPECT_EQ(KvSpec{}, KvSpec::parse("k8v4"));
    EXPECT_EQ(KvSpec{}.name(), "k8v4");
}

TEST(KvSpec, EveryPairingReadsBackItsName) {
    for (const int key : {16, 8, 4}) {
        for (const int value : {16, 8, 4}) {
            const KvSpec spec{key, value};
            EXPECT_EQ(KvSpec::parse(spec.name()), spec);
            EXPECT_NO_THROW(spec.validate());
        }
    }
}

TEST(KvSpec, F16IsTheNameOfBothSidesExact) {
    EXPECT_EQ(KvSpec::parse("f16"), (KvSpec{16, 16}));
    EXPECT_EQ(KvSpec::parse("k16v16").name(), "f16");
    EXPECT_EQ(KvSpec::parse("f32"), (KvSpec{32, 32}));
    EXPECT_EQ(KvSpec::parse("f32").name(), "f32");
    EXPECT_EQ(KvSpec::parse("k16v4").name(), "k16v4");
    EXPECT_EQ(KvSpec::parse("K8V4"), KvSpec{});
}

TEST(KvSpec, RefusesWhatHasNoMeaning) {
    for (const char* text :
         {"", "f", "f8", "k32v8", "k8v32", "k8", "v4", "k8v", "kv4", "k8v4 ", " k8v4", "k8v4v4", "k-8v4",
          "k7v4", "k8v5", "k0v0", "k99999999999999999999v4", "8,4", "k8\nv4"}) {
        try {
            KvSpec::parse(text);
            FAIL() << "accepted '" << text << "'";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
            EXPECT_NE(std::string(error.what()).find("16"), std::string::npos) << error.what();
        }
    }
}

TEST(KvSpec, ValidateNamesTheSide) {
    EXPECT_THROW((KvSpec{6, 4}.validate()), Error);
    try {
        KvSpec{8, 3}.validate();
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("values"), std::string::npos);
    }
}

}  // namespace
}  // namespace kvsplit
