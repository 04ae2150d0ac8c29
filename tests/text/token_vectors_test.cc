// llama.cpp's own tokenizer vectors, and word splits by Hugging Face's tokenizers.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

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
    const std::string base = std::string{KVSPLIT_SHARED_DATA} + "/vocab/",
                      name = std::string{GetParam()} + ".gguf";
    if (!std::filesystem::exists(base + name)) {
        GTEST_SKIP() << "NOT TESTED: llama.cpp's vocabulary " << base + name << " is not here";
    }
    const gguf::File file(base + name);
    const auto tokenizer = Tokenizer::create(file);
    for (const char* set : {"", "llamacpp-2026/"}) {
        const auto inputs = read_inputs(base + set + name + ".inp");
        const auto outputs = read_outputs(base + set + name + ".out");
        ASSERT_GT(inputs.size(), 40u);
        ASSERT_GE(outputs.size(), inputs.size() - 1);
        for (std::size_t i = 0; i < std::min(inputs.size(), outputs.size()); ++i) {
            EXPECT_EQ(tokenizer->encode(inputs[i], false, false), outputs[i])
                << set << name << ": " << inputs[i];
        }
    }
}

INSTANTIATE_TEST_SUITE_P(, TokenFamilies,
                         testing::Values("ggml-vocab-llama-spm", "ggml-vocab-phi-3", "ggml-vocab-gpt-2",
                                         "ggml-vocab-starcoder", "ggml-vocab-refact", "ggml-vocab-mpt",
                                         "ggml-vocab-falcon", "ggml-vocab-deepseek-coder",
                                         "ggml-vocab-deepseek-llm"),
                         [](const auto& test_case) {
                             std::string name = test_case.param + 11;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

// The prompts of llama.cpp's runs over three very small models, one of them without byte tokens.
TEST(TokenVectors, SmallModels) {
    const std::string folder = std::string{KVSPLIT_SHARED_DATA} + "/models/";
    if (!std::filesystem::exists(folder + "golden_llama_cpp.json")) {
        GTEST_SKIP() << "NOT TESTED: " << folder << "golden_llama_cpp.json is not here";
    }
    int n_compared = 0;
    for (const auto& run : nlohmann::json::parse(test::read_text(folder + "golden_llama_cpp.json"))) {
        const std::string path = folder + run["model"].get<std::string>();
        if (!std::filesystem::exists(path)) continue;
        const gguf::File file(path);
        const auto expected = run["prompt_tokens"].get<std::vector<Token>>();
        const auto tokenizer = Tokenizer::create(file);
        const bool with_bos = !expected.empty() && expected[0] == tokenizer->bos();
        EXPECT_EQ(tokenizer->encode(run["prompt"].get<std::string>(), with_bos, false), expected) << path;
        ++n_compared;
    }
    EXPECT_GT(n_compared, 0);
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
