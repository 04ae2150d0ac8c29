#include "text/answer_splitter.h"

#include <gtest/gtest.h>

#include <random>

#include "text/tiny_vocab.h"

namespace kvsplit::text {
namespace {

using test::kControl;
using test::kUserDefined;

// A guard that knows tokens of these names.
TextGuard tokens_of(std::initializer_list<std::string> names) {
    test::TinyVocab v = test::tiny_bpe();
    for (const std::string& name : names) v.add(name, kControl);
    return TextGuard(Vocab(v.data));
}

// What an answer is made of: letters, and tokens with their names.
struct Piece {
    std::string text;
    bool is_token = false;
};

struct Parts {
    std::string reasoning, content;
    std::optional<std::string> before_content;
    bool ended = false;
    bool operator==(const Parts&) const = default;
};

void PrintTo(const Parts& p, std::ostream* out) {
    *out << "reasoning '" << p.reasoning << "', content '" << p.content << "', before it '"
         << p.before_content.value_or("(none)") << "'" << (p.ended ? ", ended" : "");
}

// Letters are pushed in pieces of random lengths.
Parts split(const AnswerFormat& format, const TextGuard& guard, std::string_view prompt,
            const std::vector<Piece>& answer, unsigned seed) {
    std::mt19937 random(seed);
    AnswerSplitter splitter(format, prompt);
    Parts out;
    const auto add = [&](const AnswerDeltas& deltas) {
        for (const AnswerDelta& delta : deltas) {
            EXPECT_FALSE(delta.text.empty());
            (delta.part == AnswerPart::kReasoning ? out.reasoning : out.content) += delta.text;
        }
    };
    for (const Piece& piece : answer) {
        if (piece.is_token) add(splitter.push(guard.token(piece.text), piece.text));
        for (std::string_view rest = piece.text; !piece.is_token && !rest.empty();) {
            const std::size_t n =
                seed == 0 ? rest.size() : std::min<std::size_t>(rest.size(), 1 + random() % 4);
            add(splitter.push(rest.substr(0, n)));
            rest.remove_prefix(n);
        }
    }
    add(splitter.finish());
    out.before_content = splitter.before_content();
    out.ended = splitter.ended();
    return out;
}

// Every way to cut the letters gives the same parts.
Parts parts_of(std::string_view source, const TextGuard& guard, const std::vector<Piece>& answer,
               std::string_view prompt = "") {
    const AnswerFormat format = AnswerFormat::find(source, guard);
    const Parts whole = split(format, guard, prompt, answer, 0);
    for (unsigned seed = 1; seed <= 40; ++seed) EXPECT_EQ(split(format, guard, prompt, answer, seed), whole);
    return whole;
}

Parts letters(std::string_view source, const std::string& answer, std::string_view prompt = "") {
    return parts_of(source, {}, {{answer}}, prompt);
}

Parts said(std::string content) { return {"", std::move(content), "", false}; }

TEST(AnswerSplitter, WithoutMarksAllIsContent) {
    for (const char* text : {"plain", " \n indented\n ", "<think>no marks here</think>", "\n", " "})
        EXPECT_EQ(letters("no marks", text), said(text));
    EXPECT_EQ(letters("", ""), (Parts{}));
}

TEST(AnswerSplitter, TagsInLetters) {
    const char* source = "split('</think>')";
    EXPECT_EQ(letters(source, "<think>\nWhy not?\n</think>\n\nYes.\n"),
              (Parts{"Why not?", "Yes.\n", "<think>\nWhy not?\n</think>\n\n"}));
    EXPECT_EQ(letters(source, "\n<think>a</think>b"), (Parts{"a", "b", "\n<think>a</think>"}));
    EXPECT_EQ(letters(source, "<think>\n\n</think>\n\n  code"),
              (Parts{"", "  code", "<think>\n\n</think>\n\n"}));
    EXPECT_EQ(letters(source, "<think>a < b </thin </think> c"),
              (Parts{"a < b </thin", " c", "<think>a < b </thin </think>"}));
    EXPECT_EQ(letters(source, "<think>never ends\n"), (Parts{"never ends", "", std::nullopt}));
    EXPECT_EQ(letters(source, "<think>x</thi"), (Parts{"x</thi", "", std::nullopt}));
    // Marks where nobody expects them.
    EXPECT_EQ(letters(source, "Write <think>this</think>."), said("Write <think>this</think>."));
    EXPECT_EQ(letters(source, "<thin"), said("<thin"));
    EXPECT_EQ(letters(source, " <thinker>"), said(" <thinker>"));
    EXPECT_EQ(letters(source, "<think>a</think>b <think>c</think>"),
              (Parts{"a", "b <think>c</think>", "<think>a</think>"}));
}

TEST(AnswerSplitter, AReasoningThatThePromptOpened) {
    const char* source = "<think>";
    EXPECT_EQ(letters(source, "Why?\n</think>\n\nYes", "<|assistant|><think>\n"),
              (Parts{"Why?", "Yes", "Why?\n</think>\n\n"}));
    EXPECT_EQ(letters(source, "Yes", "<think>\n\n</think>\n\n"), said("Yes"));
    EXPECT_EQ(letters("reasoning_prompt [BEGIN FINAL RESPONSE]",
                      "One.\n[BEGIN FINAL RESPONSE]\nTwo\n[END FINAL RESPONSE]",
                      "<|begin_assistant|>\nHere are my reasoning steps:\n"),
              (Parts{"One.", "Two\n", std::nullopt, true}));
}

TEST(AnswerSplitter, TokensAreMarksAndTheirTextIsNot) {
    const TextGuard guard = tokens_of({"<think>", "</think>"});
    EXPECT_EQ(parts_of("</think>", guard,
                       {{"<think>", true}, {"\nsay </think>\n"}, {"</think>", true}, {"\n\nok"}}),
              (Parts{"say </think>", "ok", "<think>\nsay </think>\n</think>\n\n"}));
    EXPECT_EQ(parts_of("</think>", guard, {{"<think>letters</think>"}}), said("<think>letters</think>"));
    // Between messages of tools a model may think again.
    EXPECT_EQ(parts_of("</think>", guard,
                       {{"<think>", true}, {"a"}, {"</think>", true}, {"b"}, {"<think>", true}, {"c"}}),
              (Parts{"a\n\nc", "b", std::nullopt}));
    // The template says nothing of reasoning, the tokens do.
    EXPECT_EQ(parts_of("{{ messages }}", guard, {{"<think>", true}, {"a"}, {"</think>", true}, {"b"}}),
              (Parts{"a", "b", "<think>a</think>"}));
}

TEST(AnswerSplitter, OtherTags) {
    for (const auto& [open, close] :
         std::vector<std::pair<std::string, std::string>>{{"<seed:think>", "</seed:think>"},
                                                          {"[THINK]", "[/THINK]"},
                                                          {"<|START_THINKING|>", "<|END_THINKING|>"},
                                                          {"<|inner_prefix|>", "<|inner_suffix|>"},
                                                          {"◁think▷", "◁/think▷"},
                                                          {"<thought>", "</thought>"}}) {
        const TextGuard guard = tokens_of({open, close});
        EXPECT_EQ(parts_of(open + close, guard, {{open, true}, {"a"}, {close, true}, {"b"}}),
                  (Parts{"a", "b", open + "a" + close}));
        EXPECT_EQ(letters(open + close, open + "a" + close + "b"), (Parts{"a", "b", open + "a" + close}));
    }
}

TEST(AnswerSplitter, ResponsesInTagsOfTheirOwn) {
    EXPECT_EQ(letters("<think></think> <response></response>", "<think>a</think>\n<response>b </response>\n"),
              (Parts{"a", "b ", std::nullopt, true}));
    const TextGuard guard =
        tokens_of({"<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"});
    EXPECT_EQ(parts_of("<|START_THINKING|>", guard,
                       {{"<|START_THINKING|>", true},
                        {"a"},
                        {"<|END_THINKING|>", true},
                        {"<|START_RESPONSE|>", true},
                        {"b"},
                        {"<|END_RESPONSE|>", true}}),
              (Parts{"a", "b", std::nullopt, true}));
}

TEST(AnswerSplitter, Harmony) {
    const char* source = "<|start|>assistant<|channel|>analysis<|message|>";
    const TextGuard guard =
        tokens_of({"<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|constrain|>"});
    const std::vector<Piece> analysis = {{"<|channel|>", true}, {"analysis"}, {"<|message|>", true}, {"Hm."}};
    const std::vector<Piece> final = {
        {"<|end|>", true}, {"<|start|>", true},   {"assistant"}, {"<|channel|>", true},
        {"final"},         {"<|message|>", true}, {"Yes."}};
    auto both = analysis;
    both.insert(both.end(), final.begin(), final.end());
    EXPECT_EQ(
        parts_of(source, guard, both),
        (Parts{"Hm.", "Yes.",
               "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>"}));
    EXPECT_EQ(parts_of(source, guard, analysis), (Parts{"Hm.", "", std::nullopt}));
    EXPECT_EQ(parts_of(source, guard, {{"Just text."}}), said("Just text."));
    EXPECT_EQ(parts_of(source, guard, {{"to be, "}, {"or"}}), said("to be, or"));
    // What it says before it calls a function is no end.
    std::vector<Piece> preamble = {{"<|channel|>", true}, {"commentary"}, {"<|message|>", true}, {"Wait."}};
    preamble.insert(preamble.end(), final.begin(), final.end());
    preamble.push_back({"<|end|>", true});
    EXPECT_EQ(parts_of(source, guard, preamble), (Parts{"", "Wait.\n\nYes.", std::nullopt, true}));
    EXPECT_EQ(parts_of(source, guard,
                       {{"Hm."}, final[0], final[1], final[2], final[3], final[4], final[5], final[6]},
                       "<|start|>assistant<|channel|>analysis<|message|>")
                  .reasoning,
              "Hm.");
    // A vocabulary without these tokens: letters.
    EXPECT_EQ(letters(source,
                      "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b"),
              (Parts{"a", "b",
                     "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>"}));
}

TEST(AnswerSplitter, MessagesWithRoles) {
    const TextGuard guard = tokens_of({"<|think|>", "<|content|>", "<|end|>", "<|begin|>"});
    EXPECT_EQ(parts_of("<|think|> <|content|>", guard,
                       {{"<|think|>", true},
                        {"a"},
                        {"<|end|>", true},
                        {"<|begin|>", true},
                        {"assistant"},
                        {"<|content|>", true},
                        {"b"},
                        {"<|end|>", true}}),
              (Parts{"a", "b", std::nullopt, true}));
}

TEST(AnswerSplitter, NamedChannels) {
    const char* source = "<|channel>thought\n<channel|>";
    const TextGuard guard = tokens_of({"<|channel>", "<channel|>"});
    EXPECT_EQ(
        parts_of(source, guard, {{"<|channel>", true}, {"thought\nHm.\n"}, {"<channel|>", true}, {"Yes."}}),
        (Parts{"Hm.", "Yes.", "<|channel>thought\nHm.\n<channel|>"}));
    EXPECT_EQ(parts_of(source, guard, {{"<|channel>", true}, {"thought"}, {"<channel|>", true}, {"Yes."}}),
              (Parts{"", "Yes.", "<|channel>thought<channel|>"}));
    EXPECT_EQ(parts_of(source, guard, {{"Yes."}}, "<|turn>model\n<|channel>thought\n<channel|>"),
              said("Yes."));
    EXPECT_EQ(letters(source, "<|channel>thought\nHm.\n<channel|>Yes."),
              (Parts{"Hm.", "Yes.", "<|channel>thought\nHm.\n<channel|>"}));
}

TEST(AnswerSplitter, ARecipientInFront) {
    EXPECT_EQ(letters("'>>>all\\n'", "all\nYes."), (Parts{"", "Yes.", "all\n"}));
    EXPECT_EQ(letters("'>>>all\\n'", "alle\n"), said("alle\n"));
}

// Any answer at all: nothing is lost but marks, what is in headers, and white space.
TEST(AnswerSplitter, RandomAnswers) {
    std::mt19937 random(1);
    const std::vector<std::string> words = {"<think>",     "</think>", "<|channel|>", "final", "analysis",
                                            "<|message|>", "<|end|>",  "<|start|>",   "a",     " ",
                                            "\n",          "<",        "</",          "to=",   "é"};
    for (const char* source :
         {"</think>", "<|channel|><|message|>", "<|channel><channel|>", "<response></response>"}) {
        for (const TextGuard& guard :
             {TextGuard(), tokens_of({"<think>", "</think>", "<|channel|>", "<|message|>", "<|end|>",
                                      "<|start|>", "<|channel>"})}) {
            for (int round = 0; round < 100; ++round) {
                std::vector<Piece> answer;
                for (unsigned n = random() % 12; n > 0; --n) {
                    const std::string& word = words[random() % words.size()];
                    answer.push_back({word, guard.token(word) != kNoToken && random() % 2 == 0});
                }
                parts_of(source, guard, answer, random() % 2 ? "" : "<think>");
            }
        }
    }
}

}  // namespace
}  // namespace kvsplit::text
