// The tasks and their evaluation on a tiny random model, whose tokens are mostly single bytes.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "engine/tiny_model.h"
#include "kvsplit/error.h"
#include "lab/eval.h"
#include "lab/exact_reach.h"
#include "lab/tasks/filler.h"

namespace kvsplit::lab {
namespace {

class TasksTest : public testing::Test {
  protected:
    TasksTest() : file_(test::TinyModel{}.write().bytes()) {
        model_ = Model::load(file_.path(), {.threads = 2});
    }

    Task make(std::string_view name, const TaskOptions& options) {
        return make_task(*model_, *find_task(name), options);
    }
    std::string text(const std::vector<Token>& tokens) {
        std::string out;
        for (const Token t : tokens) {
            out += model_->token_bytes(t);
            // The model writes a space as the three bytes of U+2581, and adds one before a text.
            if (!out.ends_with("\xe2\x96\x81")) continue;
            out.resize(out.size() - 3);
            out += ' ';
        }
        return out;
    }
    std::string error_of(std::string_view name, const TaskOptions& options) {
        try {
            make(name, options);
        } catch (const Error& error) {
            return error.what();
        }
        return "";
    }
    test::TempFile file_;
    std::shared_ptr<Model> model_;
};

TaskOptions options_of(int items, std::vector<int> contexts, std::vector<double> depths = {}) {
    TaskOptions o;
    o.items = items;
    o.contexts = std::move(contexts);
    o.depths = std::move(depths);
    return o;
}

TEST_F(TasksTest, PromptsFillTheContextAndHoldTheAnswerAtItsDepth) {
    for (const char* name : {"needle", "passkey", "copy"}) {
        const auto task = make(name, options_of(30, {1200, 3000}, {0, 0.25, 0.5, 1}));
        ASSERT_EQ(task.items.size(), 60u) << name;
        for (const TaskItem& item : task.items) {
            const int length = static_cast<int>(item.prompt.size() + item.answers[0].size());
            EXPECT_LE(length, item.context);
            EXPECT_GT(length, item.context - 150) << name;
            const std::string prompt = text(item.prompt), answer = text(item.answers[0]);
            const auto at = prompt.find(answer);
            ASSERT_NE(at, prompt.npos) << name;
            const auto end = static_cast<std::size_t>(item.evidence_end);
            EXPECT_LT(at, end);
            EXPECT_NEAR(double(end) / length, item.depth, 0.17) << name;
            EXPECT_EQ(prompt.find(answer, end), prompt.npos) << name;
        }
    }
}

TEST_F(TasksTest, TheSameSeedGivesTheSameQuestions) {
    for (const char* name : {"needle", "passkey", "copy"}) {
        auto options = options_of(25, {1500});
        const auto a = make(name, options), b = make(name, options);
        options.items = 7;
        const auto few = make(name, options);
        options.seed = 2;
        const auto other = make(name, options);
        ASSERT_EQ(few.items.size(), 7u);
        for (std::size_t i = 0; i < few.items.size(); ++i) {
            EXPECT_EQ(a.items[i].prompt, b.items[i].prompt);
            EXPECT_EQ(a.items[i].prompt, few.items[i].prompt)
                << "the first questions do not depend on how many";
            EXPECT_EQ(a.items[i].answers, few.items[i].answers);
            EXPECT_NE(a.items[i].prompt, other.items[i].prompt);
        }
    }
}

// All machines make the same questions as when this test was written.
TEST_F(TasksTest, QuestionsAreTheSameOnEveryMachine) {
    const auto needle = make("needle", options_of(1, {1000}));
    const std::string prompt = text(needle.items[0].prompt);
    EXPECT_EQ(prompt.substr(72, 52), " locker code of Tokyo is 71818. There was a roof bef");
    EXPECT_EQ(text(make("copy", options_of(1, {1000})).items[0].answers[0]), " 81787");
}

TEST_F(TasksTest, QuestionsOfOnePromptShareIt) {
    const auto needle = make("needle", options_of(10, {1500}));
    const auto& a = needle.items[0].prompt;
    const auto& b = needle.items[4].prompt;
    const auto same = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
    EXPECT_GT(same, 1400);
    EXPECT_EQ(needle.items[0].group, needle.items[4].group);
    EXPECT_NE(needle.items[0].group, needle.items[5].group);
}

TEST_F(TasksTest, AFileCanBeTheHaystack) {
    TaskOptions options = options_of(5, {1500});
    options.file = "book.txt";
    for (int i = 0; i < 60; ++i) options.text += "Sentence number " + std::to_string(i) + " says\nnothing. ";
    const auto task = make("needle", options);
    EXPECT_NE(text(task.items[0].prompt).find("says nothing. Sentence"), std::string::npos);
    options.text.resize(300);
    EXPECT_NE(error_of("needle", options).find("give a longer text or a smaller context"), std::string::npos);
    options.text = " \n ";
    EXPECT_NE(error_of("needle", options).find("book.txt: no text in it"), std::string::npos);
}

TEST_F(TasksTest, OptionsWithoutMeaningAreRefused) {
    for (const char* name : {"needle", "passkey", "copy"}) {
        EXPECT_NE(error_of(name, options_of(5, {40})).find("too small"), std::string::npos) << name;
        EXPECT_NE(error_of(name, options_of(5, {5000})).find("made for 4096"), std::string::npos);
        EXPECT_NE(error_of(name, options_of(5, {1000}, {1.5})).find("fraction"), std::string::npos);
        EXPECT_NE(error_of(name, options_of(5, {1000}, std::vector<double>(51, 0.5))).find("at most 50"),
                  std::string::npos);
    }
    EXPECT_NE(error_of("hellaswag", {}).find("needs a file"), std::string::npos);
    TaskOptions options;
    options.file = "x";
    EXPECT_NE(error_of("copy", options).find("takes no file"), std::string::npos);
    EXPECT_NE(error_of("lambada", options).find("x: no questions"), std::string::npos);
}

TaskOptions passages(int n, int shots) {
    TaskOptions options;
    options.file = "passages.jsonl";
    options.shots = shots;
    for (int i = 0; i < n; ++i) {
        const auto number = std::to_string(i);
        options.text += "{\"text\": \"Passage " + number + " ends with word" + number + "\"}\n";
    }
    return options;
}

TEST_F(TasksTest, ShotsComeFromTheEndOfTheFile) {
    auto task = make("lambada", passages(10, 2));
    ASSERT_EQ(task.items.size(), 8u);
    const std::string solved = " Passage 8 ends with word8\n\nPassage 9 ends with word9\n\n";
    EXPECT_EQ(text(task.items[0].prompt), solved + "Passage 0 ends with");
    EXPECT_EQ(text(task.items[0].answers[0]), " word0");
    task = make("lambada", passages(10, 0));
    ASSERT_EQ(task.items.size(), 10u);
    EXPECT_EQ(text(task.items[9].answers[0]), " word9");
    EXPECT_NE(error_of("lambada", passages(10, 10)).find("leave none to ask"), std::string::npos);
}

TEST_F(TasksTest, ShotsFillTheContext) {
    TaskOptions options = passages(400, -1);
    options.contexts = {300};
    const auto task = make("lambada", options);
    EXPECT_EQ(task.shots, 7);  // of 38 to 40 tokens
    EXPECT_LE(task.items[0].prompt.size(), 340u);
    options.contexts = {100000};
    EXPECT_NE(error_of("lambada", options).find("passages.jsonl:1: the prompt with its answer has"),
              std::string::npos)
        << error_of("lambada", options);
}

TEST_F(TasksTest, PromptsMayBeAsLongAsTheModelsContext) {
    for (const char* name : {"needle", "passkey", "copy"}) {
        const auto task = make(name, options_of(3, {4096}));
        EXPECT_GT(task.items[0].prompt.size(), 3900u) << name;
    }
}

TEST_F(TasksTest, MakingQuestionsCanBeStopped) {
    double last = 0;
    const auto stop = [&](double fraction) {
        EXPECT_GT(fraction, last);
        last = fraction;
        return fraction < 0.5;
    };
    EXPECT_EQ(make_task(*model_, *find_task("needle"), options_of(20, {900}), stop).items.size(), 10u);
    last = 0;
    EXPECT_EQ(make_task(*model_, *find_task("lambada"), passages(12, 2), stop).items.size(), 5u);
}

// Words with which all endings begin are not scored; an ending that begins another keeps its last token.
TEST_F(TasksTest, EndingsAreScoredFromWhereTheyDiffer) {
    TaskOptions options;
    options.file = "h.txt";
    options.shots = 0;
    options.text = "He\n1\nsees one.\nsees two.\nsees three.\nsees\n";
    const auto item = make("hellaswag", options).items.at(0);
    EXPECT_EQ(text(item.answers[0]), "s one.");
    EXPECT_EQ(text(item.answers[3]), "s");
    EXPECT_TRUE(text(item.prompt).ends_with("He see"));
}

TEST_F(TasksTest, ExactReachIsThatOfThePages) {
    const ExactReach f16(*model_, KvSpec::parse("f16")), k8v4(*model_, KvSpec::parse("k8v4"));
    EXPECT_FALSE(f16.reads_codes(4000));
    EXPECT_TRUE(f16.exact(4000, 0));
    EXPECT_FALSE(k8v4.reads_codes(127));
    EXPECT_TRUE(k8v4.reads_codes(128));
    EXPECT_TRUE(k8v4.exact(191, 64));
    EXPECT_FALSE(k8v4.exact(192, 127));
    EXPECT_TRUE(k8v4.exact(192, 128));
    const ExactReach bare(*model_, KvSpec::parse("k8v4+tail=0+0=f16"));
    EXPECT_FALSE(bare.reads_codes(63));
    EXPECT_TRUE(bare.reads_codes(64));
    EXPECT_FALSE(bare.exact(64, 63));
}

TEST_F(TasksTest, AllCachesSeeTheSameItems) {
    const auto task = make("copy", options_of(12, {900}));
    const std::vector<KvSpec> specs{KvSpec::parse("k4v4"), KvSpec::parse("f16")};
    double last = 0;
    const auto report = run_task(model_, task, specs, [&](const EvalProgress& p) {
        EXPECT_GE(p.fraction, last);
        last = p.fraction;
        return true;
    });
    EXPECT_NEAR(last, 1, 1e-9);
    EXPECT_EQ(report.items, 12);
    ASSERT_EQ(report.results.size(), 2u);
    EXPECT_EQ(report.results[1].vs_f16->nll.value, 0);
    EXPECT_NE(report.results[0].vs_f16->nll.value, 0);
    EXPECT_GT(report.results[0].tokens_sealed, 0);
    EXPECT_EQ(report.results[1].tokens_sealed, 0);
    EXPECT_LT(report.results[0].kv.bytes.total(), report.results[1].kv.bytes.total());
    EXPECT_EQ(report.results[0].cells.size(), 5u);
    const std::vector<KvSpec> twice{specs[0], specs[0]};
    EXPECT_THROW(run_task(model_, task, twice), Error);
    EXPECT_THROW(run_task(model_, task, {}), Error);
}

TEST_F(TasksTest, StoppingKeepsWhatIsDone) {
    const auto task = make("needle", options_of(10, {900}));
    const std::vector<KvSpec> specs{KvSpec::parse("f16"), KvSpec::parse("k8v4")};
    const auto all = run_task(model_, task, specs);
    const auto some = run_task(model_, task, specs, [](const EvalProgress& p) { return p.items_done < 3; });
    EXPECT_EQ(some.items, 3);
    EXPECT_EQ(some.results[1].spec, specs[1]);
    EXPECT_TRUE(std::isfinite(some.results[1].nll.value));
    const auto none = run_task(model_, task, specs, [](const EvalProgress&) { return false; });
    EXPECT_EQ(none.items, 0);
    EXPECT_EQ(all.items, 10);
}

TEST(Filler, SplitsSentences) {
    EXPECT_EQ(split_sentences("One.  Two three!\nFour\n\n five? six 3.5 seven"),
              (std::vector<std::string>{"One.", "Two three!", "Four", "five?", "six 3.5 seven"}));
    EXPECT_TRUE(split_sentences(" \n\t").empty());
}

}  // namespace
}  // namespace kvsplit::lab
