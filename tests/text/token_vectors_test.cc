// llama.cpp's own tokenizer vectors, and word splits by Hugging Face's tokenizers.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "test_models.h"
#include "text/golden_tokens.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"

namespace kvsplit::text {
namespace {

std::vector<std::string> read_inputs(const std::string& path) {
    constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
    const std::string all = test::read_text(path);
    std::vector<std::string> out;
    for (std::size_t at = 0;;) {
        const std::size_t end = all.find(kSeparator, at);
        out.push_back(all.substr(at, end - at));
        if (end == std::string::npos) break;
        at = end + kSeparator.size();
    }
    return out;
}

std::vector<std::vector<Token>> read_outputs(const std::string& path) {
    std::vector<std::vector<Token>> out;
    std::istringstream lines(test::read_text(path));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream numbers(line);
        out.emplace_back(std::istream_iterator<Token>(numbers), std::istream_iterator<Token>());
    }
    return out;
}

class TokenFamilies : public testing::TestWithParam<const char*> {};

TEST_P(TokenFamilies, AllAgree) {
    const std::string name = std::string{GetParam()} + ".gguf", path = cached_path("test-data/vocab/" + name);
    if (path.empty()) GTEST_SKIP() << kNoTestData << "llama.cpp's vocabularies";
    const gguf::File file(path);
    const auto tokenizer = Tokenizer::create(file);
    const auto inputs = read_inputs(path + ".inp");
    const auto outputs = read_outputs(path + ".out");
    ASSERT_GT(inputs.size(), 40u);
    ASSERT_GE(outputs.size(), inputs.size() - 1);
    for (std::size_t i = 0; i < std::min(inputs.size(), outputs.size()); ++i) {
        EXPECT_EQ(tokenizer->encode(inputs[i], false, false), outputs[i]) << inputs[i];
    }
}

INSTANTIATE_TEST_SUITE_P(, TokenFamilies,
                         testing::Values("ggml-vocab-llama-spm", "ggml-vocab-phi-3", "ggml-vocab-gpt-2",
                                         "ggml-vocab-starcoder", "ggml-vocab-refact", "ggml-vocab-mpt",
                                         "ggml-vocab-falcon", "ggml-vocab-deepseek-coder",
                                         "ggml-vocab-deepseek-llm", "ggml-vocab-llama-bpe",
                                         "ggml-vocab-qwen2", "ggml-vocab-qwen35", "ggml-vocab-command-r",
                                         "ggml-vocab-gemma-4"),
                         [](const auto& test_case) {
                             std::string name = test_case.param + 11;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

// llama.cpp aborts over texts that such a vocabulary cannot spell, so that it is in no other golden.
TEST(TokenVectors, VocabularyWithoutByteTokens) {
    const gguf::File file(KVSPLIT_TEST_DATA "/tokens/TinyStories-656K-vocab.gguf");
    const auto tokenizer = Tokenizer::create(file);
    EXPECT_EQ(tokenizer->encode("Once upon a time", false, false),
              (std::vector<Token>{80, 147, 201, 282, 57}));
    EXPECT_EQ(tokenizer->encode("Lily and Tom went to the park to play with their red ball. The ball", false,
                                false),
              (std::vector<Token>{80, 669, 388, 1482, 98, 580, 334, 1714, 152, 416}));
}

TEST(PreTokenizer, SplitsAsTheTokenizersPackageDoes) {
    const auto golden = test::read_golden("tokens/splits.json");
    for (const char* family : {"gpt-2", "smollm", "llama-bpe", "qwen2", "deepseek-v3"}) {
        const PreTokenizer pretokenizer(family, "test");
        for (std::size_t i = 0; i < golden["texts"].size(); ++i) {
            const std::string text = test::from_hex(golden["texts"][i]);
            std::vector<std::size_t> lengths;
            for (const std::string_view word : pretokenizer.split(text)) lengths.push_back(word.size());
            EXPECT_EQ(lengths, golden[family][i].get<std::vector<std::size_t>>()) << family << ": " << text;
        }
    }
}

}  // namespace
}  // namespace kvsplit::text
