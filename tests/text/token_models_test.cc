// Tokens of the two real models, against llama.cpp (scripts/oracles/tokens_llama_cpp.py).
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <memory>

#include "test_models.h"
#include "text/golden_tokens.h"
#include "text/token_hash.h"
#include "text/tokenizer.h"

namespace kvsplit::text {
namespace {

struct ModelCase {
    const char* golden;
    const char* variable;
    const char* file_name;
};

class TokenModels : public testing::TestWithParam<ModelCase> {
  protected:
    void SetUp() override {
        const std::string path = model_path(GetParam().variable, GetParam().file_name);
        if (path.empty()) {
            GTEST_SKIP() << "NOT TESTED: " << GetParam().file_name
                         << " is not here; run scripts/models.sh or set " << GetParam().variable;
        }
        file_ = std::make_unique<gguf::File>(path);
        tokenizer_ = Tokenizer::create(*file_);
        golden_ = test::read_golden(std::string{"tokens/"} + GetParam().golden + ".json");
    }

    std::unique_ptr<gguf::File> file_;
    std::unique_ptr<Tokenizer> tokenizer_;
    nlohmann::json golden_;
};

TEST_P(TokenModels, AwkwardTextsGiveTheSameTokens) {
    for (const auto& c : golden_["cases"]) {
        const std::string unit = test::from_hex(c["hex"]);
        std::string text;
        for (int i = 0; i < c["repeat"].get<int>(); ++i) text += unit;
        EXPECT_TRUE(tokenizer_->encode(text, true, false) == test::from_run_lengths(c["plain"])) << unit;
        EXPECT_TRUE(tokenizer_->encode(text, true, true) == test::from_run_lengths(c["special"])) << unit;
        if (text.find("\xe2\x96\x81") != std::string::npos) continue;  // a space to SentencePiece
        std::string back;
        for (const Token token : tokenizer_->encode(text, false, false))
            back += tokenizer_->token_bytes(token);
        EXPECT_TRUE(back == text) << unit;
    }
}

TEST_P(TokenModels, HardTextsGiveTheSameTokens) {
    const auto hard = test::read_golden("tokens/hard_texts.json");
    const auto expected = test::words_of(hard["files"][GetParam().file_name]);
    ASSERT_GT(expected.size(), 300u);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const std::string text = test::from_hex(hard["texts"][i]);
        EXPECT_EQ(test::hash_of_both(*tokenizer_, text), expected[i]) << text;
    }
}

TEST_P(TokenModels, TokensGiveTheSameBytes) {
    ASSERT_EQ(tokenizer_->vocab_size(), golden_["vocab_size"].get<int>());
    for (const auto& piece : golden_["pieces"]) {
        const auto token = piece[0].get<Token>();
        EXPECT_EQ(tokenizer_->token_bytes(token, false), test::from_hex(piece[1])) << token;
        EXPECT_EQ(tokenizer_->token_bytes(token, true), test::from_hex(piece[2])) << token;
    }
    std::vector<Token> eog;
    for (Token token = 0; token < tokenizer_->vocab_size(); ++token) {
        if (tokenizer_->is_end_of_generation(token)) eog.push_back(token);
    }
    EXPECT_EQ(eog, golden_["end_of_generation"].get<std::vector<Token>>());
}

TEST_P(TokenModels, BytesThatAreNotUtf8ComeBack) {
    // All pairs of bytes; SmolLM2 has no tokens for some bytes, which are lost.
    std::string all, known;
    for (int i = 0; i < 65536; ++i) all.append({static_cast<char>(i >> 8), static_cast<char>(i)});
    bool has[256];
    for (int b = 0; b < 256; ++b)
        has[b] = !tokenizer_->encode(std::string(1, static_cast<char>(b)), false, false).empty();
    for (const char c : all) {
        if (has[static_cast<std::uint8_t>(c)]) known += c;
    }
    std::string back;
    for (const Token token : tokenizer_->encode(all, false, false)) back += tokenizer_->token_bytes(token);
    EXPECT_TRUE(back == known);
}

TEST_P(TokenModels, CorpusGivesTheSameTokens) {
    const auto& corpus = golden_["corpus"];
    const std::string text = test::read_text(KVSPLIT_DEMO_TEXT);
    ASSERT_EQ(text.size(), corpus["bytes"].get<std::size_t>());
    const auto start = std::chrono::steady_clock::now();
    const auto tokens = tokenizer_->encode(text, true, false);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("%s: %.1f MB/s\n", GetParam().golden,
                1e-6 * static_cast<double>(text.size()) / seconds.count());
    EXPECT_EQ(tokens.size(), corpus["tokens"].get<std::size_t>());
    EXPECT_EQ(test::fnv1a(tokens), std::stoull(corpus["fnv1a"].get<std::string>(), nullptr, 16));
}

INSTANTIATE_TEST_SUITE_P(, TokenModels,
                         testing::Values(ModelCase{"smollm2", "KVSPLIT_SMOLLM2",
                                                   "SmolLM2-135M-Instruct.Q4_1.gguf"},
                                         ModelCase{"gemma3", "KVSPLIT_GEMMA3", "gemma-3-270m-q4_k_m.gguf"}),
                         [](const auto& test_case) { return std::string{test_case.param.golden}; });

}  // namespace
}  // namespace kvsplit::text
