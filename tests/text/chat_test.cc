#include "text/chat.h"

#include <gtest/gtest.h>

#include "gguf/gguf_writer.h"
#include "kvsplit/error.h"
#include "text/golden_tokens.h"

namespace kvsplit::text {
namespace {

using test::GgufWriter;

ChatFormat format_of(const GgufWriter& w) {
    const test::TempFile file(w.bytes());
    return ChatFormat::of_model(gguf::File(file.path()));
}

ChatFormat with_template(std::string_view text) {
    return format_of(GgufWriter{}.add("tokenizer.chat_template", text).add("general.architecture", "llama"));
}

ChatInput input_of(const Json& messages, bool generation = true) {
    ChatInput out;
    out.messages = messages;
    out.add_generation_prompt = generation;
    return out;
}

// A tokenizer that puts <s> in front.
GgufWriter& add_vocabulary(GgufWriter& w) {
    return w.add("tokenizer.ggml.model", "llama")
        .add_array("tokenizer.ggml.tokens", std::vector<std::string>{"<unk>", "<s>", "</s>", "a"})
        .add_array("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, 0})
        .add("tokenizer.ggml.bos_token_id", std::uint32_t{1})
        .add("tokenizer.ggml.eos_token_id", std::uint32_t{2})
        .add("tokenizer.ggml.add_bos_token", true);
}

// Rendered by jinja2 from the models' templates (scripts/oracles/chat_jinja.py).
TEST(ChatFormat, EqualsTheTemplates) {
    const auto golden = Json::parse(test::read_text(std::string{KVSPLIT_TEST_DATA} + "/chat/prompts.json"));
    const ChatFormat chatml = with_template(golden["smollm2_template"].get<std::string>());
    const ChatFormat gemma = format_of(GgufWriter{}.add("general.architecture", "gemma3"));
    EXPECT_EQ(chatml.name(), "chatml");
    EXPECT_EQ(chatml.notice(), "");
    EXPECT_TRUE(chatml.is_stated());
    EXPECT_EQ(gemma.name(), "gemma");
    EXPECT_NE(gemma.notice(), "");
    EXPECT_FALSE(gemma.is_stated());
    for (const Json& g : golden["prompts"]) {
        const ChatFormat& format = g["format"] == "gemma" ? gemma : chatml;
        EXPECT_EQ(format.render(input_of(g["messages"], g["generation"])), g["prompt"].get<std::string>());
    }
}

TEST(ChatFormat, WithoutATemplate) {
    const ChatFormat by_tokens = format_of(GgufWriter{}.add_array(
        "tokenizer.ggml.tokens", std::vector<std::string>{"a", "<|im_start|>", "<|im_end|>"}));
    EXPECT_EQ(by_tokens.name(), "chatml");
    EXPECT_EQ(by_tokens.stop(), "<|im_end|>");
    EXPECT_NE(by_tokens.notice(), "");
    EXPECT_FALSE(by_tokens.is_stated());
    EXPECT_EQ(by_tokens.render(input_of(Json::array({chat_message("user", "Hi")}))),
              "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    EXPECT_EQ(format_of(GgufWriter{}).name(), "plain");
    EXPECT_THROW(format_of(GgufWriter{}.add("tokenizer.chat_template", 7)), Error);
}

TEST(ChatFormat, ATemplateThatCannotBeRead) {
    const ChatFormat broken = with_template("{% if %}<|im_start|>");
    EXPECT_EQ(broken.name(), "plain");
    EXPECT_TRUE(broken.is_stated());
    EXPECT_NE(broken.notice().find("line 1"), std::string::npos) << broken.notice();
    EXPECT_EQ(with_template(" \n").name(), "plain");
}

// One that renders nothing, not even a greeting, is no better.
TEST(ChatFormat, ATemplateThatCannotBeUsed) {
    for (const char* source :
         {"{{ raise_exception('always') }}", "{{ messages[0].nothing.more }}",
          "{% for x in range(99999) %}{% for y in range(99999) %}{% endfor %}{% endfor %}"}) {
        const ChatFormat broken = with_template(source);
        EXPECT_EQ(broken.name(), "plain");
        EXPECT_TRUE(broken.is_stated());
        EXPECT_NE(broken.notice().find("cannot be used"), std::string::npos) << broken.notice();
    }
}

// Where the vocabulary has the end of a turn as a token, its text is text.
TEST(ChatFormat, TheEndOfAnAnswerAsAToken) {
    GgufWriter w;
    add_vocabulary(w).add("tokenizer.chat_template",
                          "{% for m in messages %}{{ m.role }}: {{ m.content }}</s>\n{% endfor %}");
    EXPECT_EQ(format_of(w).stop(), "");
    EXPECT_EQ(format_of(w).end_token(), 2);
    // It may come only where another turn follows.
    GgufWriter later;
    add_vocabulary(later).add(
        "tokenizer.chat_template",
        "{% for m in messages %}{{ m.content }}{{ '' if loop.last else '</s>' }}{% endfor %}");
    EXPECT_EQ(format_of(later).end_token(), 2);
    EXPECT_EQ(with_template("{{ messages[0].content }}</s>").end_token(), kNoToken);
}

TEST(ChatFormat, SystemMessagesWithoutARole) {
    const Json messages = Json::array({chat_message("system", "Be brief."), chat_message("user", "Hi")});
    for (const char* source : {"{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif "
                               "%}{{ messages[0].content }}",
                               "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"}) {
        const ChatFormat format = with_template(source);
        EXPECT_FALSE(format.takes_system());
        EXPECT_EQ(format.notice(), "");
        EXPECT_EQ(format.render(input_of(messages)), "Be brief.\n\nHi");
        Json parts = messages;
        parts[1]["content"] = Json::array({Json{{"type", "text"}, {"text", "Hi"}}});
        EXPECT_EQ(fold_system_message(parts)[0]["content"].dump(),
                  R"([{"type":"text","text":"Be brief.\n\n"},{"type":"text","text":"Hi"}])");
    }
    EXPECT_TRUE(with_template("{{ messages[0].content }}{{ messages[-1].content }}").takes_system());
    EXPECT_EQ(fold_system_message(Json::array({messages[0]})), Json::array({messages[0]}));
}

TEST(ChatFormat, AnswersOfATemplate) {
    const auto marks = [](const char* source) {
        std::string out;
        const ChatFormat format = with_template(source);
        for (const AnswerMark& mark : format.answers().marks) out += mark.text + " ";
        return out;
    };
    EXPECT_EQ(marks("{{ messages[-1].content }}"), "");
    EXPECT_EQ(marks("{{ messages[-1].content.split('</think>')[-1] }}"), "<think> </think> ");
    // Tags that are not known are seen where they stand.
    EXPECT_EQ(marks("{% for m in messages %}[{{ m.role }}] "
                    "{% if m.reasoning_content %}(ponder) {{ m.reasoning_content }} (/ponder)\n{% endif %}"
                    "{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}"),
              "(ponder) (/ponder) ");
}

TEST(ChatFormat, TheEndOfAnAnswer) {
    const auto stop_of = [](const std::string& after) {
        return with_template("{% for m in messages %}{{ m.content }}" + after + "{% endfor %}").stop();
    };
    EXPECT_EQ(stop_of("<|end|>\n"), "<|end|>");
    EXPECT_EQ(stop_of("\n<|eot_id|>"), "<|eot_id|>");
    EXPECT_EQ(stop_of("\n"), "");
    EXPECT_EQ(stop_of("{{ 'x' * 99 }}"), "");
    EXPECT_EQ(with_template("{{ messages[0].content }}").stop(), "");
    EXPECT_EQ(with_template("{% for m in messages %}{{ m.content }}<|eot_id|>{% endfor %}").name(), "llama3");
    EXPECT_EQ(with_template("{{ messages }}").name(), "template");
}

TEST(ChatFormat, TheStartTokenComesOnce) {
    GgufWriter w;
    const auto render = [&] {
        return format_of(w).render(input_of(Json::array({chat_message("user", "Hi")})));
    };
    add_vocabulary(w).add("tokenizer.chat_template",
                          "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ bos_token }}");
    EXPECT_EQ(render(), "Hi</s><s>");
}

TEST(ChatFormat, NamedTemplates) {
    const ChatFormat format =
        format_of(GgufWriter{}
                      .add("tokenizer.chat_template", "default")
                      .add("tokenizer.chat_template.tool_use", "tools {{ tools[0].name }}")
                      .add("tokenizer.chat_template.broken", "{% if %}"));
    EXPECT_EQ(format.notice(), "");
    ChatInput input;
    EXPECT_EQ(format.render(input), "default");
    input.tools = Json::array();
    EXPECT_EQ(format.render(input), "default");
    input.tools.push_back({{"name", "t"}});
    EXPECT_EQ(format.render(input), "tools t");
}

TEST(ChatFormat, InputAsTransformersPreparesIt) {
    const ChatFormat format =
        with_template("{{ messages }}{{ tools }}{{ documents }}{{ x }}{{ add_generation_prompt }}");
    ChatInput input =
        input_of(Json::array({Json{{"role", "assistant"}, {"content", nullptr}, {"reasoning", "r"}}}), false);
    input.variables = {{"x", 1}, {"tools", "mine"}};
    EXPECT_EQ(
        format.render(input),
        "[{'thinking': 'r', 'role': 'assistant', 'reasoning': 'r', 'reasoning_content': 'r'}]mineNone1False");
    EXPECT_THROW(format.render(input_of(Json::array({"text"}))), Error);
    EXPECT_THROW(format.render(input_of("text")), Error);
}

TEST(ChatFormat, ATemplateOfTheUsers) {
    GgufWriter w;
    const test::TempFile file(add_vocabulary(w).bytes());
    const gguf::File model(file.path());
    const ChatFormat format = ChatFormat::of_template(model, "{{ eos_token }}!", "mine.jinja");
    EXPECT_TRUE(format.is_stated());
    EXPECT_EQ(format.render({}), "</s>!");
    EXPECT_THROW(ChatFormat::of_template(model, "{% if %}", "mine.jinja"), jinja::TemplateError);
}

TEST(ChatFormat, PlainLines) {
    const ChatFormat plain = format_of(GgufWriter{});
    const Json messages = Json::array(
        {chat_message("system", "Be brief."), chat_message("user", "Hi"), chat_message("assistant", "Yes?")});
    EXPECT_EQ(plain.render(input_of(messages)), "Be brief.\n\nUser: Hi\nAssistant: Yes?\nAssistant:");
    EXPECT_EQ(plain.stop(), "\nUser:");
}

TEST(ChatFormat, RefusesRolesWithoutAPlace) {
    const ChatFormat gemma = format_of(GgufWriter{}.add("general.architecture", "gemma3"));
    const Json twice = Json::array({chat_message("user", "a"), chat_message("user", "b")});
    const Json tool = Json::array({chat_message("tool", "x")});
    EXPECT_THROW(gemma.render(input_of(twice)), Error);
    EXPECT_THROW(gemma.render(input_of(tool)), Error);
    EXPECT_THROW(format_of(GgufWriter{}).render(input_of(tool)), Error);
}

}  // namespace
}  // namespace kvsplit::text
