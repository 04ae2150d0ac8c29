#include "kvsplit/kv_spec.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "kvsplit/error.h"

namespace kvsplit {
namespace {

TEST(KvSpec, DefaultIsK5V4) {
    EXPECT_EQ(KvSpec{}, KvSpec::parse("k5v4"));
    EXPECT_EQ(KvSpec{}.name(), "k5v4");
}

TEST(KvSpec, EveryPairingReadsBackItsName) {
    for (const int key : kv_widths()) {
        for (const int value : kv_widths()) {
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
    EXPECT_EQ(KvSpec::parse("K5V4"), KvSpec{});
}

TEST(KvSpec, RefusesWhatHasNoMeaning) {
    for (const char* text :
         {"", "f", "f8", "k32v8", "k8v32", "k8", "v4", "k8v", "kv4", "k8v4 ", " k8v4", "k8v4v4", "k-8v4",
          "k7v4", "k8v1", "k0v0", "k99999999999999999999v4", "8,4", "k8\nv4"}) {
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
    EXPECT_THROW((KvSpec{7, 4}.validate()), Error);
    try {
        KvSpec{8, 9}.validate();
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("values"), std::string::npos);
    }
}

TEST(KvSpec, TermsReadBackTheirName) {
    for (const char* text :
         {"k4v4+tail=0", "k4v4+tail=128+sinks=0", "k5v4+rotation=off+mean=off+smoothing=off+search=off",
          "k4v4+0-1=k8v8", "k4v4+3=f16+-2-=k8v4+0-=k2v2", "f16+-3--2=k8v2"}) {
        EXPECT_EQ(KvSpec::parse(text).name(), text);
        EXPECT_EQ(KvSpec::parse(KvSpec::parse(text).name()), KvSpec::parse(text));
    }
    EXPECT_EQ(KvSpec::parse("k4v4+tail=64+sinks=4+mean=on").name(), "k4v4");
}

TEST(KvSpec, LayersOverrideInOrder) {
    const KvSpec spec = KvSpec::parse("k4v4+0-9=k8v8+-2-=k6v5+5=f16");
    EXPECT_EQ(spec.widths(0, 30), (KvWidths{8, 8}));
    EXPECT_EQ(spec.widths(5, 30), (KvWidths{16, 16}));
    EXPECT_EQ(spec.widths(9, 30), (KvWidths{8, 8}));
    EXPECT_EQ(spec.widths(10, 30), (KvWidths{4, 4}));
    EXPECT_EQ(spec.widths(27, 30), (KvWidths{4, 4}));
    EXPECT_EQ(spec.widths(28, 30), (KvWidths{6, 5}));
    EXPECT_EQ(spec.widths(29, 30), (KvWidths{6, 5}));
    EXPECT_THROW(spec.widths(0, 9), Error);
}

TEST(KvSpec, RefusesTermsThatMakeNoSense) {
    for (const char* text :
         {"k4v4+", "k4v4++", "k4v4+tail=63", "k4v4+tail=-64", "k4v4+tail=99968", "k4v4+sinks=17",
          "k4v4+mean=maybe", "k4v4+0-1", "k4v4+0-1=k7v4", "k4v4+3-1=k8v8", "k4v4+-1--3=k8v8", "k4v4+-0=k8v8",
          "k4v4+0=f32", "f32+0=k8v8", "k4v4+depth=3", "k4v4 +tail=0"}) {
        EXPECT_THROW(KvSpec::parse(text), Error) << text;
    }
}

std::string refusal(std::string_view text) {
    try {
        KvSpec::parse(text);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
        return error.what();
    }
    ADD_FAILURE() << "accepted";
    return "";
}

// A text comes from anybody: no file is opened, and little of the text is repeated.
TEST(KvSpec, ATextIsNoFile) {
    const std::string path = ::testing::TempDir() + "/kvsplit_secret.kv";
    std::ofstream(path) << "password=correct-horse";
    EXPECT_EQ(refusal("@" + path).find("correct"), std::string::npos);
    std::ofstream(path) << "k5v4";
    EXPECT_NE(refusal("@" + path).find("'@"), std::string::npos);
    std::remove(path.c_str());
}

TEST(KvSpec, RefusalsAreShortAndPrintable) {
    const std::string one = refusal("k4v4+x=\x1b[2J\n");
    EXPECT_NE(one.find("'x=\\x1b[2J\\n'"), std::string::npos) << one;
    for (const std::string& start :
         {std::string(), std::string("k4v4+"), std::string("k4v4+tail="), std::string("k4v4+0-1=")})
        EXPECT_LT(refusal(start + std::string(100000, '\x01')).size(), 500u) << start;
}

}  // namespace
}  // namespace kvsplit
