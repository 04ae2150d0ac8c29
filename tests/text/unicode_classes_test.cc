#include "text/unicode_classes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <vector>

#include "text/golden_tokens.h"
#include "text/pretokenizer.h"
#include "text/utf8.h"

namespace kvsplit::text {
namespace {

// Every character beyond ASCII, but for white space, and for Han and kana, which some pre-tokenizers keep
// apart.
std::vector<char32_t> characters() {
    std::vector<char32_t> out;
    for (char32_t c = 0x80; c < 0x110000; ++c) {
        const bool surrogate = c >= 0xd800 && c < 0xe000;
        const bool apart = (c >= 0x4e00 && c <= 0x9fa5) || (c >= 0x3040 && c <= 0x30ff);
        if (!surrogate && !apart && !is_space(c)) out.push_back(c);
    }
    return out;
}

std::string utf8(char32_t c) {
    std::string out;
    append_utf8(c, out);
    return out;
}

// How many characters stay in one word with what is put before them.
int count_joined(const char* pre, char before) {
    std::string text;
    for (const char32_t c : characters()) text += before + utf8(c) + '\n';
    int n = 0;
    for (const std::string_view word : PreTokenizer(pre, "test").split(text)) {
        n += word.size() > 1 && word[0] == before && word[1] != '\n';
    }
    return n;
}

// Among the characters above Unicode 16.0 has these, by general category. What PCRE2 has does not matter.
constexpr int kLetters = 119891, kMarks = 2499, kNumbers = 1901, kPunctuation = 830, kSymbols = 8503;

TEST(UnicodeClasses, CountsOfUnicode16) {
    EXPECT_EQ(unicode_version(), "16.0.0");
    EXPECT_EQ(count_joined("gpt-2", 'a'), kLetters);
    EXPECT_EQ(count_joined("gpt-2", '1'), kNumbers);
    EXPECT_EQ(count_joined("qwen35", 'a'), kLetters + kMarks);
    EXPECT_EQ(count_joined("deepseek-v3", ' '), kLetters + kMarks + kPunctuation + kSymbols);
}

using Ranges = std::vector<std::pair<char32_t, char32_t>>;

// Those that a pattern names by numbers.
Ranges explicit_ranges(std::string_view pattern) {
    static const std::regex kRange(R"(\\x\{([0-9a-f]+)\}(?:-\\x\{([0-9a-f]+)\})?)");
    Ranges out;
    for (std::cregex_iterator it(pattern.begin(), pattern.end(), kRange), end; it != end; ++it) {
        const std::string first = (*it)[1], last = (*it)[2].length() ? (*it)[2] : (*it)[1];
        out.emplace_back(std::stoul(first, nullptr, 16), std::stoul(last, nullptr, 16));
    }
    return out;
}

TEST(UnicodeClasses, StandInsAreInTheSameRangesOfThePatterns) {
    Ranges ranges;
    const auto golden = test::read_golden("tokens/hard_texts.json");
    for (const auto& [pre, line] : golden["pre"].items()) {
        for (const PreTokenizer::Step& step : PreTokenizer::get(pre, "test").steps) {
            for (const auto& range : explicit_ranges(step.pattern)) ranges.push_back(range);
        }
    }
    ASSERT_GT(ranges.size(), 40u);
    std::sort(ranges.begin(), ranges.end());
    ranges.erase(std::unique(ranges.begin(), ranges.end()), ranges.end());
    int n_stand_ins = 0;
    for (const char32_t c : characters()) {
        const char32_t stand_in = class_stand_in(c);
        if (stand_in == c) continue;
        ++n_stand_ins;
        EXPECT_EQ(utf8(stand_in).size(), utf8(c).size()) << fmt::format("U+{:04X}", std::uint32_t{c});
        for (const auto& [first, last] : ranges) {
            EXPECT_EQ(stand_in >= first && stand_in <= last, c >= first && c <= last)
                << fmt::format("U+{:04X} for U+{:04X}: run scripts/unicode_classes.py",
                               std::uint32_t{stand_in}, std::uint32_t{c});
        }
    }
    EXPECT_GT(n_stand_ins, 10'000);
}

}  // namespace
}  // namespace kvsplit::text
