#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "text/tiny_vocab.h"

namespace kvsplit::text {
namespace {

using test::tiny_bpe;
using test::tiny_spm;
using test::TinyVocab;

std::string decode(const Tokenizer& tokenizer, const std::vector<Token>& tokens) {
    std::string out;
    for (const Token token : tokens) out += tokenizer.token_bytes(token);
    return out;
}

std::vector<std::string> pieces(const Tokenizer& tokenizer, std::string_view text) {
    std::vector<std::string> out;
    for (const Token token : tokenizer.encode(text, false, false))
        out.push_back(tokenizer.token_bytes(token, true));
    return out;
}

using Pieces = std::vector<std::string>;

TEST(BpeTokenizer, MergesInTheOrderOfTheList) {
    const TinyVocab v = tiny_bpe();
    const auto tokenizer = Tokenizer::create(v.data);
    EXPECT_EQ(pieces(*tokenizer, "the the hello"), (Pieces{"the", " the", " hello"}));
    // "t h" comes before "h e", so "the" wins over "t he"; nothing merges across words.
    EXPECT_EQ(pieces(*tokenizer, "other"), (Pieces{"o", "the", "r"}));
    EXPECT_EQ(pieces(*tokenizer, "aaaaaaa"), (Pieces{"aaaa", "aa", "a"}));
    EXPECT_EQ(pieces(*tokenizer, ""), Pieces{});
}

TEST(BpeTokenizer, MergesThroughTextsThatAreNoTokens) {
    TinyVocab v = tiny_bpe();
    v.add_merge("x", "y");  // "xy" is not a token
    v.add_merge("xy", "z");
    v.add("xyz");
    v.add_merge("q", "q");
    const auto tokenizer = Tokenizer::create(v.data);
    EXPECT_EQ(pieces(*tokenizer, "xyz"), (Pieces{"xyz"}));
    EXPECT_EQ(pieces(*tokenizer, "xyqq"), (Pieces{"x", "y", "q", "q"}));
}

TEST(BpeTokenizer, IgnoreMergesTakesWholeWords) {
    TinyVocab v = tiny_bpe();
    v.add("zebra");
    EXPECT_EQ(pieces(*Tokenizer::create(v.data), "zebra").size(), 5u);
    v.data.ignore_merges = true;
    EXPECT_EQ(pieces(*Tokenizer::create(v.data), "zebra"), (Pieces{"zebra"}));
}

TEST(BpeTokenizer, OddMergesAreHarmless) {
    TinyVocab v = tiny_bpe();
    for (const char* merge : {"", " ", "a", "a ", " b", "\xff\xfe \xfd", "a b c", "t h", "th e"}) {
        v.data.merges.push_back(merge);
    }
    EXPECT_EQ(pieces(*Tokenizer::create(v.data), "the ab"), (Pieces{"the", " ", "a", "b"}));
}

TEST(BpeTokenizer, BytesWithoutATokenAreLost) {
    TinyVocab v;
    v.data.kind = VocabKind::kBpe;
    v.data.pre = "gpt-2";
    v.add("a");
    v.data.unk = v.add("<unk>", test::kUnknown);
    EXPECT_EQ(Tokenizer::create(v.data)->encode("aba", false, false), (std::vector<Token>{0, 0}));
}

TEST(Tokenizer, RepeatedWordsGiveTheSameTokensAgain) {
    const TinyVocab bpe = tiny_bpe(), spm = tiny_spm();
    for (const TinyVocab* v : {&bpe, &spm}) {
        const auto tokenizer = Tokenizer::create(v->data);
        const auto once = tokenizer->encode(" hello other", false, false);
        auto thrice = once;
        for (int i = 0; i < 2; ++i) thrice.insert(thrice.end(), once.begin(), once.end());
        EXPECT_EQ(tokenizer->encode(" hello other hello other hello other", false, false), thrice);
    }
}

TEST(SpmTokenizer, MergesByScore) {
    const TinyVocab v = tiny_spm();
    const auto tokenizer = Tokenizer::create(v.data);
    EXPECT_EQ(pieces(*tokenizer, "the hello"), (Pieces{"th", "e", " hello"}));
    EXPECT_EQ(pieces(*tokenizer, " the"), (Pieces{" the"}));
    EXPECT_EQ(pieces(*tokenizer, "a  a"), (Pieces{"a", "  ", "a"}));
    EXPECT_EQ(pieces(*tokenizer, "你好é"), (Pieces{"你好", "é"}));
    EXPECT_EQ(tokenizer->encode("b", false, false), (std::vector<Token>{3 + 'b'}));
    EXPECT_EQ(tokenizer->token_bytes(3 + 0xc3), "\xc3");
}

TEST(SpmTokenizer, SpacePrefixAfterStartAndSpecialTokens) {
    TinyVocab v = tiny_spm();
    v.data.add_space_prefix = true;
    const auto tokenizer = Tokenizer::create(v.data);
    EXPECT_EQ(pieces(*tokenizer, "the"), (Pieces{" the"}));
    EXPECT_EQ(pieces(*tokenizer, "the<tag>the"), (Pieces{" the", "<tag>", " the"}));
    EXPECT_EQ(pieces(*tokenizer, ""), Pieces{});
}

TEST(SpmTokenizer, WithoutByteTokensOneUnknownForEachCharacter) {
    TinyVocab v;
    v.data.unk = v.add("<unk>", test::kUnknown);
    v.add("a");
    EXPECT_EQ(Tokenizer::create(v.data)->encode("a你a", false, false), (std::vector<Token>{1, 0, 1}));
    v.data.unk = kNoToken;
    EXPECT_EQ(Tokenizer::create(v.data)->encode("a你a", false, false), (std::vector<Token>{1, 1}));
}

TEST(Tokenizer, StartToken) {
    TinyVocab v = tiny_spm();
    EXPECT_EQ(Tokenizer::create(v.data)->encode("", true, false), (std::vector<Token>{1}));
    EXPECT_EQ(Tokenizer::create(v.data)->encode("", false, false), (std::vector<Token>{}));
    v.data.bos = kNoToken;
    EXPECT_EQ(Tokenizer::create(v.data)->encode("", true, false), (std::vector<Token>{}));
}

TEST(Tokenizer, AStartTokenInTheTextIsNotDoubled) {
    for (TinyVocab v : {tiny_spm(), tiny_bpe()}) {
        v.data.add_bos = true;
        const std::string name(v.data.tokens[static_cast<std::size_t>(v.data.bos)]);
        const auto n_starts = [&](const std::string& text, bool add_bos, bool parse_special) {
            const auto tokens = Tokenizer::create(v.data)->encode(text, add_bos, parse_special);
            return std::count(tokens.begin(), tokens.end(), v.data.bos);
        };
        EXPECT_EQ(n_starts(name + "the", true, true), 1);
        EXPECT_EQ(n_starts("\n " + name + "the", true, true), 1);
        EXPECT_EQ(n_starts("\n\n" + name + "the", true, true), 1);  // user-defined white space
        EXPECT_EQ(n_starts(name + name, true, true), 2);            // as it is written
        EXPECT_EQ(n_starts("the" + name, true, true), 2);
        EXPECT_EQ(n_starts("<tag>" + name, true, true), 2);
        EXPECT_EQ(n_starts(name, true, false), 1);  // where it is mere text
        EXPECT_EQ(n_starts(name, false, true), 1);
        v.data.types[static_cast<std::size_t>(v.data.bos)] = test::kUserDefined;
        EXPECT_EQ(n_starts(name, true, false), 1);
        v.data.add_bos = false;
        EXPECT_EQ(n_starts(name + "the", true, true), 1);
        EXPECT_EQ(n_starts("the", true, true), 0);
    }
}

TEST(Tokenizer, SpecialTokensShowOnlyWhenAsked) {
    const TinyVocab v = tiny_bpe();
    const auto tokenizer = Tokenizer::create(v.data);
    const auto tokens = tokenizer->encode("<|begin|><tag>", false, true);
    ASSERT_EQ(tokens.size(), 2u);
    EXPECT_EQ(tokenizer->token_bytes(tokens[0]), "");
    EXPECT_EQ(tokenizer->token_bytes(tokens[0], true), "<|begin|>");
    EXPECT_EQ(tokenizer->token_bytes(tokens[1]), "<tag>");
    EXPECT_TRUE(tokenizer->is_control(tokens[0]));
    EXPECT_EQ(tokenizer->encode("<|begin|>", false, false).size(), 9u);
    for (const Token outside : {-1, tokenizer->vocab_size(), 1 << 30, INT32_MIN}) {
        EXPECT_EQ(tokenizer->token_bytes(outside, true), "");
        EXPECT_FALSE(tokenizer->is_end_of_generation(outside));
    }
    EXPECT_TRUE(tokenizer->is_end_of_generation(tokenizer->eos()));
}

// Random bytes, half of them ASCII so that merges and white space happen.
std::string random_bytes(std::mt19937& rng) {
    constexpr std::string_view kCommon = "the hello aaa\n\n\n  \xc3\xa9 <tag>'s12";
    std::string out(rng() % 200, '\0');
    for (char& c : out) c = rng() % 2 ? kCommon[rng() % kCommon.size()] : static_cast<char>(rng());
    return out;
}

TEST(Tokenizer, EveryByteStringComesBack) {
    std::mt19937 rng(1);
    const TinyVocab spm = tiny_spm();
    const auto spm_tokenizer = Tokenizer::create(spm.data);
    for (const char* pre : {"gpt-2", "llama-bpe", "qwen2", "smollm", "default", "falcon", "deepseek-coder",
                            "dbrx", "tekken", "afmoe", "superbpe", "kimi-k2", "deepseek-llm"}) {
        const TinyVocab bpe = tiny_bpe(pre);
        const auto bpe_tokenizer = Tokenizer::create(bpe.data);
        for (int i = 0; i < 200; ++i) {
            const std::string text = random_bytes(rng);
            ASSERT_EQ(decode(*bpe_tokenizer, bpe_tokenizer->encode(text, false, false)), text) << pre;
            ASSERT_EQ(decode(*spm_tokenizer, spm_tokenizer->encode(text, false, false)), text);
        }
    }
}

// 8 times the text takes about 8 times as long. A quadratic algorithm would take minutes here, not seconds.
TEST(Tokenizer, LongWordsTakeLinearTime) {
    const TinyVocab bpe = tiny_bpe(), spm = tiny_spm();
    const auto bpe_tokenizer = Tokenizer::create(bpe.data), spm_tokenizer = Tokenizer::create(spm.data);
    for (const Tokenizer* tokenizer : {bpe_tokenizer.get(), spm_tokenizer.get()}) {
        for (const char* unit : {"a", " ", "\n", "x", "\xff", "1", "<"}) {
            std::string text;
            for (int i = 0; i < 800'000; ++i) text += unit;
            const auto start = std::chrono::steady_clock::now();
            EXPECT_EQ(decode(*tokenizer, tokenizer->encode(text, false, true)), text);
            const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
            EXPECT_LT(seconds.count(), 20.0) << unit;
        }
    }
}

TEST(Tokenizer, ThreadsMayShareOne) {
    const TinyVocab v = tiny_bpe();
    const auto tokenizer = Tokenizer::create(v.data);
    const auto expected = tokenizer->encode("the hello <tag> other", false, true);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 200; ++i) {
                ASSERT_EQ(tokenizer->encode("the hello <tag> other", false, true), expected);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace kvsplit::text
