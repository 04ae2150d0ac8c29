#include "text/stream_decoder.h"

#include <gtest/gtest.h>

#include <random>

#include "text/is_utf8.h"

namespace kvsplit::text {
namespace {

constexpr const char* kBad = "\xef\xbf\xbd";

TEST(StreamDecoder, HoldsPartialCharactersBack) {
    StreamDecoder d;
    EXPECT_EQ(d.push("a\xf0\x9f"), "a");
    EXPECT_EQ(d.push("\x9a"), "");
    EXPECT_EQ(d.push("\x80z"), "🚀z");
    EXPECT_EQ(d.push("\xc3"), "");
    EXPECT_EQ(d.flush(), kBad);
    EXPECT_EQ(d.flush(), "");
    EXPECT_EQ(d.push("é"), "é");
}

TEST(StreamDecoder, ReplacesWhatIsBroken) {
    const std::string bad = kBad;
    EXPECT_EQ(StreamDecoder{}.push("a\xff"
                                   "b"),
              "a" + bad + "b");
    EXPECT_EQ(StreamDecoder{}.push("\xe2\x96"
                                   "b"),
              bad + "b");
    EXPECT_EQ(StreamDecoder{}.push("\xc0\xaf"), bad + bad);
    EXPECT_EQ(StreamDecoder{}.push("\xed\xa0\x80"), bad + bad + bad);
    // Unicode 15, table 3-11: U+FFFD for each maximal subpart.
    EXPECT_EQ(StreamDecoder{}.push("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"), bad + bad + bad + bad + "A");
}

TEST(StreamDecoder, CutsDoNotMatter) {
    std::mt19937 rng(3);
    for (int round = 0; round < 500; ++round) {
        std::string bytes;
        while (bytes.size() < 30) {
            if (rng() % 3)
                append_utf8(rng() % 0xd800, bytes);
            else
                bytes += static_cast<char>(rng());
        }
        StreamDecoder whole, cut;
        std::string expected = whole.push(bytes);
        expected += whole.flush();
        std::string out;
        for (std::size_t i = 0; i < bytes.size();) {
            const std::size_t n = 1 + rng() % 5;
            const std::string part = cut.push(std::string_view{bytes}.substr(i, n));
            ASSERT_TRUE(is_utf8(part));
            out += part;
            i += n;
        }
        ASSERT_EQ(out + cut.flush(), expected);
    }
}

TEST(StopMatcher, HoldsBackWhatMayBecomeAStop) {
    StopMatcher m({"END", "\nUser:"});
    EXPECT_EQ(m.push("abc E"), "abc ");
    EXPECT_EQ(m.push("N"), "");
    EXPECT_EQ(m.push("x\n"), "ENx");
    EXPECT_EQ(m.push("Us"), "");
    EXPECT_FALSE(m.matched());
    EXPECT_EQ(m.push("er: hi"), "");
    EXPECT_TRUE(m.matched());
    EXPECT_EQ(m.push("more"), "");
    EXPECT_EQ(m.flush(), "");
    EXPECT_FALSE(m.matched());
}

TEST(StopMatcher, FirstMatchWinsAndOverlapsAreSeen) {
    StopMatcher m({"bcd", "b", ""});
    EXPECT_EQ(m.push("aabcd"), "aa");
    StopMatcher repeat({"aab"});
    EXPECT_EQ(repeat.push("aa"), "");
    EXPECT_EQ(repeat.push("a"), "a");
    EXPECT_EQ(repeat.push("b!"), "");
    EXPECT_TRUE(repeat.matched());
    StopMatcher none({});
    EXPECT_EQ(none.push("text"), "text");
    StopMatcher open({"xyz"});
    EXPECT_EQ(open.push("wxy"), "w");
    EXPECT_EQ(open.flush(), "xy");
}

TEST(Utf8, StripsAsPythonDoes) {
    EXPECT_EQ(strip("\t\u3000 a b\u00a0\x1f\n"), "a b");
    EXPECT_EQ(strip(" \n "), "");
    EXPECT_EQ(strip(""), "");
    EXPECT_EQ(strip("\u200b x\x80 "), "\u200b x\x80");
}

}  // namespace
}  // namespace kvsplit::text
