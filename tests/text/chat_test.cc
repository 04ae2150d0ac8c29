#include "text/chat.h"

#include <gtest/gtest.h>

#include "gguf/gguf_writer.h"
#include "kvsplit/error.h"
#include "text/golden_tokens.h"

namespace kvsplit::text {
namespace {

using test::GgufWriter;

ChatFormat detect(const GgufWriter& w) {
    const test::TempFile file(w.bytes());
    return ChatFormat::detect(gguf::File(file.path()));
}

std::vector<ChatMessage> messages_of(const nlohmann::json& list) {
    std::vector<ChatMessage> out;
    for (const auto& m : list) out.push_back({m["role"], m["content"]});
    return out;
}

// Rendered by jinja2 from the models' templates (scripts/oracles/chat_jinja.py).
TEST(ChatFormat, EqualsTheTemplates) {
    const auto golden = test::read_golden("chat/prompts.json");
    const ChatFormat chatml =
        detect(GgufWriter{}.add("tokenizer.chat_template", golden["smollm2_template"].get<std::string>()));
    const ChatFormat gemma = detect(GgufWriter{}.add("general.architecture", "gemma3"));
    EXPECT_EQ(chatml.name(), "chatml");
    EXPECT_EQ(chatml.notice, "");
    EXPECT_EQ(gemma.name(), "gemma");
    EXPECT_NE(gemma.notice, "");
    for (const auto& g : golden["prompts"]) {
        const auto messages = messages_of(g["messages"]);
        EXPECT_EQ((g["format"] == "gemma" ? gemma : chatml).render(messages, g["generation"]),
                  g["prompt"].get<std::string>());
    }
}

TEST(ChatFormat, Detection) {
    const auto with_template = [](std::string_view text) {
        return detect(GgufWriter{}.add("tokenizer.chat_template", text).add("general.architecture", "llama"));
    };
    EXPECT_EQ(with_template("{{'<|im_start|>' + role}}").name(), "chatml");
    EXPECT_EQ(with_template("{{'<|im_start|>' + role}}").default_system, "");
    EXPECT_EQ(with_template("'<|im_start|>system\\nBe good.<|im_end|>\\n'").default_system, "Be good.");
    EXPECT_EQ(with_template("'<|im_start|>system\\n' + x + '<|im_end|>' '<|im_start|>system\\nHi<|im_end|>'")
                  .default_system,
              "Hi");
    EXPECT_EQ(with_template("{{'<start_of_turn>'}}").name(), "gemma");
    EXPECT_EQ(with_template("{{'<|user|>'}}").name(), "plain");
    EXPECT_NE(with_template("{{'<|user|>'}}").notice, "");

    const ChatFormat by_tokens = detect(GgufWriter{}.add_array(
        "tokenizer.ggml.tokens", std::vector<std::string>{"a", "<|im_start|>", "<|im_end|>"}));
    EXPECT_EQ(by_tokens.name(), "chatml");
    EXPECT_NE(by_tokens.notice, "");
    EXPECT_EQ(detect(GgufWriter{}).name(), "plain");
    EXPECT_THROW(detect(GgufWriter{}.add("tokenizer.chat_template", 7)), Error);
}

TEST(ChatFormat, PlainLines) {
    const ChatFormat plain;
    const std::vector<ChatMessage> messages = {
        {"system", "Be brief."}, {"user", "Hi"}, {"assistant", "Yes?"}};
    EXPECT_EQ(plain.render(messages, true), "Be brief.\n\nUser: Hi\nAssistant: Yes?\nAssistant:");
    EXPECT_EQ(plain.stop(), "\nUser:");
}

TEST(ChatFormat, RefusesRolesWithoutAPlace) {
    const ChatFormat gemma{ChatFormat::Kind::kGemma, "", ""};
    const std::vector<ChatMessage> twice = {{"user", "a"}, {"user", "b"}}, tool = {{"tool", "x"}};
    EXPECT_THROW(gemma.render(twice, true), Error);
    EXPECT_THROW(gemma.render(tool, true), Error);
    EXPECT_THROW(ChatFormat{}.render(tool, true), Error);
}

}  // namespace
}  // namespace kvsplit::text
