// Damaged and odd metadata: an Error naming file and key, or llama.cpp's result.
#include "text/vocab.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "gguf/gguf_writer.h"
#include "kvsplit/error.h"
#include "text/tiny_vocab.h"
#include "text/tokenizer.h"

namespace kvsplit::text {
namespace {

using test::GgufWriter;
using test::TempFile;

const std::vector<std::string> kTokens = {"<unk>", "<s>", "</s>", "a", "b", "ab"};

GgufWriter minimal(std::string_view model) {
    GgufWriter w;
    w.add("tokenizer.ggml.model", model).add_array("tokenizer.ggml.tokens", kTokens);
    return w;
}

// The error message of making a tokenizer from w; "" if it succeeds.
std::string failure(const GgufWriter& w, std::string& path) {
    const TempFile file(w.bytes());
    path = file.path();
    const gguf::File gguf_file(path);
    try {
        Tokenizer::create(gguf_file)->encode("abab <s>", true, true);
        return "";
    } catch (const Error& e) {
        return e.what();
    }
}

void expect_failure(const GgufWriter& w, std::string_view key) {
    std::string path;
    const std::string message = failure(w, path);
    EXPECT_NE(message.find(path), std::string::npos) << message;
    EXPECT_NE(message.find(key), std::string::npos) << message;
}

TEST(VocabMetadata, DamageIsNamed) {
    expect_failure(GgufWriter{}, "tokenizer.ggml.model");
    expect_failure(minimal("bert"), "tokenizer.ggml.model");
    expect_failure(GgufWriter{}.add("tokenizer.ggml.model", "llama"), "tokenizer.ggml.tokens");
    expect_failure(GgufWriter{}.add("tokenizer.ggml.model", "llama").add("tokenizer.ggml.tokens", "a"),
                   "tokenizer.ggml.tokens");
    expect_failure(GgufWriter{}
                       .add("tokenizer.ggml.model", "llama")
                       .add_array("tokenizer.ggml.tokens", std::vector<std::string>{}),
                   "tokenizer.ggml.tokens");
    expect_failure(minimal("llama").add_array("tokenizer.ggml.scores", std::vector<float>(5)),
                   "tokenizer.ggml.scores");
    expect_failure(minimal("llama").add_array("tokenizer.ggml.scores", std::vector<float>(6, NAN)),
                   "tokenizer.ggml.scores");
    expect_failure(minimal("llama").add_array("tokenizer.ggml.scores", std::vector<std::string>(6, "x")),
                   "tokenizer.ggml.scores");
    expect_failure(minimal("llama").add_array("tokenizer.ggml.token_type", std::vector<std::int32_t>(5)),
                   "tokenizer.ggml.token_type");
    expect_failure(minimal("llama").add("tokenizer.ggml.bos_token_id", "one"), "tokenizer.ggml.bos_token_id");
    expect_failure(minimal("gpt2"), "tokenizer.ggml.merges");
    expect_failure(minimal("gpt2")
                       .add_array("tokenizer.ggml.merges", std::vector<std::string>{"a b"})
                       .add("tokenizer.ggml.pre", "martian"),
                   "tokenizer.ggml.pre");
}

void with_file(const GgufWriter& w, const std::function<void(const Tokenizer&)>& check) {
    const TempFile temp(w.bytes());
    const gguf::File file(temp.path());
    check(*Tokenizer::create(file));
}

TEST(VocabMetadata, OddFilesWork) {
    // Ids out of range fall back to the defaults; longer arrays and unknown types are accepted.
    with_file(minimal("llama")
                  .add("tokenizer.ggml.bos_token_id", std::uint32_t{0xffffffff})
                  .add("tokenizer.ggml.eos_token_id", std::uint32_t{4})
                  .add("tokenizer.ggml.seperator_token_id", std::uint32_t{0xffffffff})
                  .add_array("tokenizer.ggml.scores", std::vector<float>(9))
                  .add_array("tokenizer.ggml.token_type", std::vector<std::int32_t>{1, 1, 1, 1, 1, 77, 78}),
              [](const Tokenizer& t) {
                  EXPECT_EQ(t.bos(), 1);
                  EXPECT_EQ(t.eos(), 4);
                  EXPECT_EQ(t.token_bytes(5), "");
                  EXPECT_TRUE(t.adds_bos());
              });
    with_file(minimal("gpt2")
                  .add_array("tokenizer.ggml.merges", std::vector<std::string>{"a b", "zz qq", "", "a"})
                  .add("tokenizer.ggml.pre", "gpt-2"),
              [](const Tokenizer& t) {
                  EXPECT_EQ(t.bos(), kNoToken);
                  EXPECT_FALSE(t.adds_bos());
                  EXPECT_EQ(t.encode("aba", true, false), (std::vector<Token>{5, 3}));
              });
    GgufWriter twice;
    twice.add("tokenizer.ggml.model", "llama").add("tokenizer.ggml.add_space_prefix", false);
    twice.add_array("tokenizer.ggml.tokens", std::vector<std::string>{"", "a", "a", ""});
    with_file(twice, [](const Tokenizer& t) {
        EXPECT_EQ(t.encode("a", false, false), (std::vector<Token>{1})) << "the first of equal texts";
        EXPECT_EQ(t.token_bytes(0), "");
    });
}

// A vocabulary file with a few changed bytes: an Error, or a tokenizer that works.
TEST(VocabMetadata, MutatedFiles) {
    std::mt19937 rng(11);
    int n_accepted = 0;
    for (int round = 0; round < 4000; ++round) {
        const bool bpe = round % 2 == 0;
        const test::TinyVocab v = bpe ? test::tiny_bpe() : test::tiny_spm();
        GgufWriter w;
        w.add("tokenizer.ggml.model", bpe ? "gpt2" : "llama").add("tokenizer.ggml.pre", "gpt-2");
        w.add_array("tokenizer.ggml.tokens",
                    std::vector<std::string>(v.data.tokens.begin(), v.data.tokens.end()));
        w.add_array("tokenizer.ggml.token_type", v.data.types)
            .add_array("tokenizer.ggml.scores", v.data.scores);
        w.add_array("tokenizer.ggml.merges",
                    std::vector<std::string>(v.data.merges.begin(), v.data.merges.end()));
        w.add("tokenizer.ggml.bos_token_id", std::uint32_t{1}).add("tokenizer.ggml.add_bos_token", true);
        test::Bytes bytes = w.bytes();
        for (int i = 0; i < 3; ++i) bytes[rng() % bytes.size()] = static_cast<std::uint8_t>(rng());
        const TempFile temp(bytes);
        try {
            const gguf::File file(temp.path());
            const auto tokenizer = Tokenizer::create(file);
            for (const Token token : tokenizer->encode("the hello <tag>\n\n<s>\xff", true, true)) {
                ASSERT_GE(token, 0);
                ASSERT_LT(token, tokenizer->vocab_size());
                tokenizer->token_bytes(token, true);
            }
            ++n_accepted;
        } catch (const Error&) {
        }
    }
    EXPECT_GT(n_accepted, 100);
    EXPECT_LT(n_accepted, 4000);
}

TEST(VocabMetadata, EndOfGenerationByName) {
    GgufWriter w;
    w.add("tokenizer.ggml.model", "llama").add("tokenizer.ggml.eos_token_id", std::uint32_t{3});
    w.add_array("tokenizer.ggml.tokens", std::vector<std::string>{"<|im_end|>", "<end_of_turn>", "x", "stop",
                                                                  "<|eot_id|>", "<|endoftext|>"});
    with_file(w, [](const Tokenizer& t) {
        for (const Token token : {0, 1, 3, 4, 5}) EXPECT_TRUE(t.is_end_of_generation(token)) << token;
        EXPECT_FALSE(t.is_end_of_generation(2));
        EXPECT_EQ(t.eot(), 4);
        EXPECT_TRUE(t.is_control(0)) << "whatever its type says";
    });
}

TEST(VocabMetadata, HarmonyMarksAreAlwaysReadAndEndClosesAMessageOnly) {
    GgufWriter w;
    w.add("tokenizer.ggml.model", "llama").add("tokenizer.ggml.add_space_prefix", false);
    w.add_array("tokenizer.ggml.tokens",
                std::vector<std::string>{"<|start|>", "<|end|>", "<|return|>", "<|call|>", "a"});
    w.add_array("tokenizer.ggml.token_type", std::vector<std::int32_t>{3, 3, 3, 3, 1});
    with_file(w, [](const Tokenizer& t) {
        EXPECT_EQ(t.encode("<|start|>a<|end|>", false, false), (std::vector<Token>{0, 4, 1}));
        EXPECT_EQ(t.token_bytes(0), "<|start|>");
        EXPECT_FALSE(t.is_end_of_generation(1));
        EXPECT_TRUE(t.is_end_of_generation(2));
        EXPECT_TRUE(t.is_end_of_generation(3));
    });
}

TEST(VocabMetadata, StartTokensByPreTokenizer) {
    const auto file = [](const char* pre) {
        std::vector<std::string> tokens;
        for (int i = 0; i < 12; ++i) tokens.push_back(std::string(1, static_cast<char>('a' + i)));
        GgufWriter w;
        w.add("tokenizer.ggml.model", "gpt2").add("tokenizer.ggml.pre", pre);
        w.add_array("tokenizer.ggml.tokens", tokens);
        w.add_array("tokenizer.ggml.merges", std::vector<std::string>{});
        return w;
    };
    with_file(file("gpt-2"), [](const Tokenizer& t) { EXPECT_EQ(t.bos(), 11); });
    with_file(file("glm4"), [](const Tokenizer& t) { EXPECT_EQ(t.bos(), kNoToken); });
    with_file(file("tekken"), [](const Tokenizer& t) { EXPECT_TRUE(t.adds_bos()); });
    with_file(file("tekken").add("tokenizer.ggml.add_bos_token", false),
              [](const Tokenizer& t) { EXPECT_FALSE(t.adds_bos()); });
}

// Fine-tunes are often saved with tokenizers that close every text.
TEST(VocabMetadata, NothingIsAppendedWhateverTheFileAsks) {
    GgufWriter w;
    w.add("tokenizer.ggml.model", "llama").add("tokenizer.ggml.add_space_prefix", false);
    w.add_array("tokenizer.ggml.tokens", std::vector<std::string>{"<unk>", "<s>", "</s>", "a", "<sep>"});
    w.add_array("tokenizer.ggml.token_type", std::vector<std::int32_t>{2, 3, 3, 1, 3});
    w.add("tokenizer.ggml.seperator_token_id", std::uint32_t{4});
    w.add("tokenizer.ggml.add_eos_token", true).add("tokenizer.ggml.add_sep_token", true);
    with_file(w, [](const Tokenizer& t) {
        EXPECT_EQ(t.encode("a", true, false), (std::vector<Token>{1, 3}));
        EXPECT_EQ(t.encode("a", true, true), (std::vector<Token>{1, 3}));
        EXPECT_EQ(t.encode("", true, false), (std::vector<Token>{1})) << "what stands before every text";
    });
    w.add("tokenizer.ggml.add_bos_token", false);
    with_file(w, [](const Tokenizer& t) {
        EXPECT_EQ(t.encode("", true, false), std::vector<Token>{}) << "an end token is no start token";
    });
}

// Gemma 4: merges over characters, U+2581 for spaces, bytes by name, line feeds whole.
TEST(VocabMetadata, Gemma4) {
    std::vector<std::string> tokens{"<pad>", "<eos>", "<bos>", "</s>", "<|tool_response>", "<turn|>"};
    std::vector<std::int32_t> types(tokens.size(), 3);
    for (int b = 0; b < 256; ++b) {
        tokens.push_back(fmt::format("<0x{:02X}>", b));
        types.push_back(6);
    }
    for (const char* piece : {"a", "b", "\u2581", "\u2581a", "ab", "\u00e9", "\n", "\n\n\n"}) {
        tokens.push_back(piece);
        types.push_back(1);
    }
    GgufWriter w;
    w.add("tokenizer.ggml.model", "gemma4").add("tokenizer.ggml.add_bos_token", false);
    w.add("tokenizer.ggml.bos_token_id", std::uint32_t{2})
        .add("tokenizer.ggml.eos_token_id", std::uint32_t{1});
    w.add_array("tokenizer.ggml.tokens", tokens).add_array("tokenizer.ggml.token_type", types);
    w.add_array("tokenizer.ggml.merges", std::vector<std::string>{"\u2581 a", "a b"});
    with_file(w, [](const Tokenizer& t) {
        const auto pieces = [&](std::string_view text) {
            std::vector<std::string> out;
            for (const Token token : t.encode(text, false, false)) out.push_back(t.token_bytes(token, true));
            return out;
        };
        using Pieces = std::vector<std::string>;
        EXPECT_TRUE(t.adds_bos()) << "whatever the file says";
        EXPECT_EQ(pieces("ab ab\u00e9"), (Pieces{"ab", " a", "b", "\u00e9"}));
        EXPECT_EQ(pieces("\n\n\na\n\n"), (Pieces{"\n\n\n", "a", "\n", "\n"}));
        EXPECT_EQ(pieces("\u4f60\xff"), (Pieces{"\xe4", "\xbd", "\xa0", "\xff"}));
        EXPECT_FALSE(t.is_end_of_generation(3)) << "</s> is a tag of HTML here";
        EXPECT_TRUE(t.is_end_of_generation(4));
    });
}

}  // namespace
}  // namespace kvsplit::text
