#include "text/special_tokens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "text/tiny_vocab.h"

namespace kvsplit::text {
namespace {

using test::kControl;
using test::kUserDefined;
using test::TinyVocab;

// Text pieces in brackets, tokens by their text.
std::string shown(const std::vector<Fragment>& fragments, const Vocab& vocab) {
    std::string out;
    for (const Fragment& f : fragments) {
        out += f.token == kNoToken ? "[" + std::string{f.text} + "]" : std::string{vocab.text(f.token)};
    }
    return out;
}

std::string split(const TinyVocab& v, std::string_view text, bool parse_special) {
    const Vocab vocab(v.data);
    return shown(SpecialTokens(vocab).split(text, parse_special), vocab);
}

TEST(SpecialTokens, ControlOnlyWhenParsedUserDefinedAlways) {
    TinyVocab v;
    v.add("<c>", kControl);
    v.add("<u>", kUserDefined);
    v.add("<n>");
    EXPECT_EQ(split(v, "a<c>b<u><n>", true), "[a]<c>[b]<u>[<n>]");
    EXPECT_EQ(split(v, "a<c>b<u><n>", false), "[a<c>b]<u>[<n>]");
    EXPECT_EQ(split(v, "", true), "");
    EXPECT_EQ(split(v, "<c><c>", true), "<c><c>");
    EXPECT_EQ(split(v, "<c<c>>", true), "[<c]<c>[>]");
}

TEST(SpecialTokens, LongerTokensFirst) {
    TinyVocab v;
    for (const char* text : {"abc", "bcde", "ab", "\n", "\n\n", "\n\n\n"}) v.add(text, kUserDefined);
    EXPECT_EQ(split(v, "abcde", true), "[a]bcde");  // not "abc" and the rest
    EXPECT_EQ(split(v, "abcd", true), "abc[d]");
    EXPECT_EQ(split(v, "ababc", true), "ababc");
    EXPECT_EQ(split(v, "\n\n\n\n\n", true), "\n\n\n\n\n");
    const Vocab vocab(v.data);
    const auto lines = SpecialTokens(vocab).split("\n\n\n\n\n", true);
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].token, 5);
    EXPECT_EQ(lines[1].token, 4);
}

TEST(SpecialTokens, StripsWhiteSpaceWhereTheModelDoes) {
    TinyVocab v;
    v.add("<|end|>", kControl);
    v.add("<s>", kControl);
    EXPECT_EQ(split(v, "a <|end|> \n b<s> c", true), "[a ]<|end|>[ \n b]<s>[ c]");
    v.data.model_name = "Phi-3 mini";
    EXPECT_EQ(split(v, "a <|end|> \n b<s> c", true), "[a ]<|end|>[b]<s>[ c]");
    EXPECT_EQ(split(v, "<|end|>  <|end|>  ", true), "<|end|><|end|>");
}

// The definition: search every remaining piece for one token after the other.
std::vector<Fragment> one_after_the_other(const Vocab& vocab, std::string_view text) {
    std::vector<Token> order;
    for (Token t = 0; t < vocab.size(); ++t) order.push_back(t);
    std::stable_sort(order.begin(), order.end(),
                     [&](Token a, Token b) { return vocab.text(a).size() > vocab.text(b).size(); });
    std::vector<Fragment> pieces;
    if (!text.empty()) pieces.push_back({kNoToken, text});
    for (const Token token : order) {
        std::vector<Fragment> next;
        for (const Fragment& piece : pieces) {
            std::string_view rest = piece.text;
            if (piece.token != kNoToken) {
                next.push_back(piece);
                continue;
            }
            for (std::size_t at; (at = rest.find(vocab.text(token))) != std::string_view::npos;) {
                if (at > 0) next.push_back({kNoToken, rest.substr(0, at)});
                next.push_back({token, rest.substr(at, vocab.text(token).size())});
                rest.remove_prefix(at + vocab.text(token).size());
            }
            if (!rest.empty()) next.push_back({kNoToken, rest});
        }
        pieces.swap(next);
    }
    return pieces;
}

TEST(SpecialTokens, EqualsSearchingForEachTokenInTurn) {
    std::mt19937 rng(7);
    for (int round = 0; round < 300; ++round) {
        TinyVocab v;
        // At most one token per length: overlapping tokens of equal length may be found in any order.
        for (std::size_t length = 1; length <= 6; ++length) {
            std::string text;
            while (text.size() < length) text += "ab"[rng() % 2];
            if (rng() % 3) v.add(text, kUserDefined);
        }
        if (v.data.tokens.empty()) continue;
        const Vocab vocab(v.data);
        std::string text;
        for (std::size_t n = rng() % 40; text.size() < n;) text += "abc"[rng() % 3];
        ASSERT_EQ(shown(SpecialTokens(vocab).split(text, false), vocab),
                  shown(one_after_the_other(vocab, text), vocab))
            << text;
    }
}

TEST(SpecialTokens, HugeTokensAreNotMatched) {
    TinyVocab v;
    v.add(std::string(SpecialTokens::kMaxBytes + 1, 'x'), kUserDefined);
    v.add(std::string(SpecialTokens::kMaxBytes, 'y'), kUserDefined);
    const Vocab vocab(v.data);
    EXPECT_EQ(SpecialTokens(vocab).split(std::string(2000, 'x'), true).size(), 1u);
    EXPECT_EQ(SpecialTokens(vocab).split(std::string(2000, 'y'), true).size(), 4u);
}

}  // namespace
}  // namespace kvsplit::text
