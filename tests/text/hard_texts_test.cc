// Hard texts, split as by llama.cpp (scripts/oracles/hard_texts.py).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "test_models.h"
#include "text/golden_tokens.h"
#include "text/pretokenizer.h"
#include "text/space_marks.h"
#include "text/tiny_vocab.h"
#include "text/token_hash.h"
#include "text/tokenizer.h"

namespace kvsplit::text {
namespace {

struct Golden {
    std::vector<std::string> texts;
    nlohmann::json pre, files;
};

const Golden& golden() {
    static const Golden instance = [] {
        const auto json = test::read_golden("tokens/hard_texts.json");
        Golden out{{}, json["pre"], json["files"]};
        for (const auto& text : json["texts"]) out.texts.push_back(test::from_hex(text));
        return out;
    }();
    return instance;
}

// A text's bytes in GPT-2's alphabet, or its characters.
std::vector<std::string> units(std::string_view text, bool of_characters) {
    std::vector<std::string> out;
    const std::string marked = with_space_marks(text);
    for (std::string_view rest = of_characters ? marked : text; !rest.empty();) {
        const std::size_t length = of_characters ? next_utf8(rest).length : 1;
        out.push_back(of_characters ? std::string{rest.substr(0, length)}
                                    : test::byte_letter(static_cast<std::uint8_t>(rest[0])));
        rest.remove_prefix(length);
    }
    return out;
}

// All bytes, and a merge for every two neighbours in the texts, which reveals whether a word ends between
// them.
test::TinyVocab pair_vocab(const std::string& pre) {
    const bool of_characters = PreTokenizer::get(pre, "test").spaces_as_marks;
    test::TinyVocab v;
    std::set<std::string> known;
    const auto add = [&](const std::string& token, int type) {
        if (known.insert(token).second) return v.add(token, type) != kNoToken;
        return false;
    };
    v.data.source = "pairs";
    v.data.kind = VocabKind::kBpe;
    v.data.pre = pre;
    v.data.ignore_merges = PreTokenizer::get(pre, "test").ignore_merges;
    for (int b = 0; b < 256; ++b) {
        if (of_characters) {
            add(fmt::format("<0x{:02X}>", b), test::kByte);
        } else {
            add(test::byte_letter(b), test::kNormal);
        }
    }
    for (const std::string& text : golden().texts) {
        const auto all = units(text, of_characters);
        for (const std::string& unit : all) add(unit, test::kNormal);
        for (std::size_t i = 1; i < all.size(); ++i) {
            if (add(all[i - 1] + all[i], test::kNormal)) v.add_merge(all[i - 1], all[i]);
        }
    }
    return v;
}

TEST(HardTexts, EveryPreTokenizerCutsThemAsLlamaCppDoes) {
    EXPECT_GE(golden().pre.size(), 34u);
    for (const auto& [pre, line] : golden().pre.items()) {
        const test::TinyVocab v = pair_vocab(pre);
        const auto tokenizer = Tokenizer::create(v.data);
        const auto expected = test::words_of(line);
        ASSERT_EQ(expected.size(), golden().texts.size());
        int different = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const auto tokens = tokenizer->encode(golden().texts[i], false, false);
            std::string back;
            for (const Token token : tokens) back += tokenizer->token_bytes(token);
            const bool mark = golden().texts[i].find(kSpaceMark) != std::string::npos;
            if (!mark || !PreTokenizer::get(pre, "test").spaces_as_marks) {
                EXPECT_EQ(back, golden().texts[i]) << pre;
            }
            if (test::short_hash(tokens) != expected[i] && ++different <= 3) {
                ADD_FAILURE() << pre << ": other words in " << golden().texts[i];
            }
        }
    }
}

void expect_tokens(const std::string& path, const nlohmann::json& line) {
    const gguf::File file(path);
    const auto tokenizer = Tokenizer::create(file);
    const auto expected = test::words_of(line);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(test::hash_of_both(*tokenizer, golden().texts[i]), expected[i])
            << path << ": " << golden().texts[i];
    }
}

// Those of real models; token_models_test has the models themselves.
TEST(HardTexts, Vocabularies) {
    int n_compared = 0, n_missing = 0;
    for (const auto& [name, line] : golden().files.items()) {
        if (name.find("vocab") == std::string::npos) continue;
        const std::string path = test_data_path("tokens/" + name, "vocab/" + name);
        if (path.empty()) {
            ++n_missing;
            continue;
        }
        expect_tokens(path, line);
        ++n_compared;
    }
    EXPECT_GE(n_compared, 1);
    if (n_missing > 0) GTEST_SKIP() << kNoTestData << "llama.cpp's vocabularies";
}

// PCRE2 with its JIT compiler, or without it if a text is too long for the JIT's stack.
TEST(HardTexts, LongTextsTakeLinearTime) {
    std::string digits, letters, spaces;
    for (int i = 0; i < 100'000; ++i) {
        digits += static_cast<char>('0' + i % 10);
        letters += i % 7 ? "Ab" : "\xc3\x89";
        spaces += " ";
    }
    for (const auto& [pre, line] : golden().pre.items()) {
        const PreTokenizer pretokenizer(pre, "test");
        for (const std::string& text : {digits, letters, spaces + "x", letters + spaces + digits}) {
            std::string back;
            for (const std::string_view word : pretokenizer.split(text)) back += word;
            EXPECT_TRUE(back == text) << pre;
        }
    }
}

}  // namespace
}  // namespace kvsplit::text
