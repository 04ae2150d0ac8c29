#include "lab/tasks/question_files.h"

#include <gtest/gtest.h>

#include <random>

#include "kvsplit/error.h"

namespace kvsplit::lab {
namespace {

const std::string kHellaswag =
    "Cooking: A man cuts bread. he\n2\nflies away.\nis a horse.\neats it.\nsleeps in the oven.\n"
    "Chess: Two women sit down. they\n0\nmove a piece.\nswim.\ncut the board.\nrun for a bus.\n";
const std::string kLambada =
    "{\"text\": \"The cat sat on the mat\"}\n\n{\"other\": 1, \"text\": \"Say \\\"hi\\\",\\nshe said "
    "\\n\"}\n";

template <typename Parse>
std::string error_of(Parse parse, std::string_view text) {
    try {
        parse(text, "q.txt");
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kFormat);
        return error.what();
    }
    return "";
}

TEST(Hellaswag, SixLinesAreAQuestion) {
    const auto questions = parse_hellaswag(kHellaswag, "q.txt");
    ASSERT_EQ(questions.size(), 2u);
    EXPECT_EQ(questions[0].prompt, "Cooking: A man cuts bread. he");
    EXPECT_EQ(questions[0].right, 2);
    EXPECT_EQ(questions[0].answers, (std::vector<std::string>{" flies away.", " is a horse.", " eats it.",
                                                              " sleeps in the oven."}));
    EXPECT_EQ(questions[1].place, "q.txt:7");
    EXPECT_EQ(questions[1].right, 0);
}

TEST(Hellaswag, LineEndsOfWindowsAndEmptyLinesAtTheEnd) {
    std::string windows;
    for (const char c : kHellaswag) {
        if (c == '\n') windows += '\r';
        windows += c;
    }
    const auto questions = parse_hellaswag(windows + "\r\n\n", "q.txt");
    ASSERT_EQ(questions.size(), 2u);
    EXPECT_EQ(questions[1].answers[3], " run for a bus.");
    EXPECT_EQ(parse_hellaswag(kHellaswag.substr(0, kHellaswag.size() - 1), "q.txt").size(), 2u);
    EXPECT_TRUE(parse_hellaswag("", "q.txt").empty());
}

TEST(Hellaswag, DamageIsNamedWithItsLine) {
    const auto says = [](const std::string& text, const std::string& what) {
        EXPECT_NE(error_of(parse_hellaswag, text).find(what), std::string::npos)
            << error_of(parse_hellaswag, text);
    };
    says("A\n4\na\nb\nc\nd\n", "q.txt:2: '4' should be the index");
    says("A\n10\na\nb\nc\nd\n", "q.txt:2:");
    says("A\n-1\na\nb\nc\nd\n", "q.txt:2:");
    says("A\nis\na\nb\nc\nd\n", "q.txt:2: 'is'");
    says("A\n0\na\nb\n\nd\n", "q.txt:5: an empty line");
    says("A\n0\na\nb\nc\n", "q.txt:5: the file ends before one of four endings");
    says(kHellaswag + "One more\n", "q.txt:13: the file ends before the index");
    says(std::string("A\n\0\na\nb\nc\nd\n", 11), "q.txt:2:");
}

TEST(Lambada, TheLastWordIsAsked) {
    const auto questions = parse_lambada(kLambada, "q.txt");
    ASSERT_EQ(questions.size(), 2u);
    EXPECT_EQ(questions[0].prompt, "The cat sat on the");
    EXPECT_EQ(questions[0].answers, (std::vector<std::string>{" mat"}));
    EXPECT_EQ(questions[1].prompt, "Say \"hi\",\nshe");
    EXPECT_EQ(questions[1].answers[0], " said");
    EXPECT_EQ(questions[1].place, "q.txt:3");
}

TEST(Lambada, DamageIsNamedWithItsLine) {
    const auto says = [](const std::string& text, const std::string& what) {
        EXPECT_NE(error_of(parse_lambada, text).find(what), std::string::npos)
            << error_of(parse_lambada, text);
    };
    says("{\"text\": \"a b\"}\n{\"text\": \"a", "q.txt:2: not a JSON object");
    says("[1]\n", "q.txt:1: no object with a string \"text\"");
    says("{\"text\": 5}", "q.txt:1: no object");
    says("{\"Text\": \"a b\"}", "q.txt:1: no object");
    says("{\"text\": \"word\"}", "q.txt:1: \"text\" needs at least two words");
    says("{\"text\": \" word  \"}", "q.txt:1: \"text\" needs");
    says("{\"text\": \"\"}", "q.txt:1: \"text\" needs");
    says("{\"text\": \"a \xff\"}", "q.txt:1: not a JSON");
    says(std::string(200000, '['), "q.txt:1: not a JSON");
}

// Damaged files are refused or read, and never anything else.
TEST(QuestionFiles, SurviveDamage) {
    std::mt19937 rng(5);
    int refused = 0;
    for (int round = 0; round < 4000; ++round) {
        std::string text = round % 2 ? kLambada : kHellaswag;
        for (unsigned n = 1 + rng() % 3; n-- > 0;) {
            const std::size_t at = rng() % text.size();
            switch (rng() % 3) {
                case 0:
                    text[at] = static_cast<char>(rng());
                    break;
                case 1:
                    text.erase(at, 1 + rng() % 9);
                    break;
                default:
                    text.insert(at, 1, static_cast<char>(rng() % 3 ? '\n' : rng()));
            }
            if (text.empty()) text.assign(1, 'x');
        }
        try {
            const auto questions = round % 2 ? parse_lambada(text, "q") : parse_hellaswag(text, "q");
            for (const auto& q : questions) {
                EXPECT_FALSE(q.prompt.empty());
                EXPECT_LT(q.right, static_cast<int>(q.answers.size()));
                for (const auto& a : q.answers) EXPECT_GT(a.size(), 1u);
            }
        } catch (const Error& error) {
            EXPECT_TRUE(std::string_view(error.what()).starts_with("q:")) << error.what();
            ++refused;
        }
    }
    EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace kvsplit::lab
