// Prompts with shared beginnings give the results of fresh sessions with as few tokens as possible.
#include "lab/prompt_tree.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "engine/hidden.h"
#include "engine/tiny_model.h"
#include "lab/row_scores.h"

namespace kvsplit::lab {
namespace {

TaskItem item_of(std::vector<Token> prompt) {
    TaskItem item;
    item.prompt = std::move(prompt);
    item.answers = {{1}};
    return item;
}

// Prompts over two letters in order, so that they share much.
std::vector<TaskItem> random_items(std::mt19937& rng, std::size_t n, unsigned longest, unsigned letters) {
    std::vector<std::vector<Token>> prompts(n);
    for (auto& p : prompts) {
        p.resize(1 + rng() % longest);
        for (Token& t : p) t = static_cast<Token>(rng() % letters);
    }
    std::sort(prompts.begin(), prompts.end());
    std::vector<TaskItem> items;
    for (auto& p : prompts) items.push_back(item_of(std::move(p)));
    return items;
}

std::int64_t total(const std::vector<TaskItem>& items, const std::vector<PromptStep>& plan) {
    std::int64_t n = 0;
    for (std::size_t i = 0; i < items.size(); ++i) n += planned_tokens(items[i], plan[i]);
    return n;
}

TEST(PromptPlan, SharesAStemAndItsBranches) {
    const std::vector<TaskItem> items{item_of({1, 2, 3, 4, 5, 6}), item_of({1, 2, 3, 4, 7}),
                                      item_of({1, 2, 8, 9}), item_of({1, 2, 8, 9, 9})};
    const auto plan = plan_prompts(items);
    EXPECT_EQ(plan[0].from, 0);
    EXPECT_EQ(plan[0].keep, (std::vector<int>{2, 4}));
    EXPECT_EQ(plan[1].from, 4);
    EXPECT_TRUE(plan[1].last_use);
    EXPECT_TRUE(plan[1].keep.empty());
    EXPECT_EQ(plan[2].from, 2);
    EXPECT_EQ(plan[2].keep, (std::vector<int>{4}));
    EXPECT_EQ(plan[3].from, 4);
    EXPECT_EQ(total(items, plan), 6 + 1 + 2 + 1);
}

// Equal prompts: the last token is read again, for its state.
TEST(PromptPlan, EqualPromptsReadTheirLastTokenAgain) {
    const std::vector<TaskItem> items{item_of({1, 2, 3}), item_of({1, 2, 3}), item_of({1, 2, 3})};
    const auto plan = plan_prompts(items);
    EXPECT_EQ(total(items, plan), 3 + 1 + 1);
    EXPECT_FALSE(plan[1].last_use);
    EXPECT_TRUE(plan[2].last_use);
}

// In sorted order each distinct beginning is evaluated once, except for last tokens, which are read again.
TEST(PromptPlan, EvaluatesEachBeginningOnce) {
    std::mt19937 rng(3);
    for (int round = 0; round < 300; ++round) {
        const auto items = random_items(rng, 1 + rng() % 12, 9, 2);
        std::set<std::vector<Token>> beginnings;
        std::int64_t again = 0;
        for (const auto& item : items) {
            again += beginnings.contains(item.prompt);
            for (std::size_t n = 1; n <= item.prompt.size(); ++n) {
                beginnings.emplace(item.prompt.begin(), item.prompt.begin() + static_cast<std::ptrdiff_t>(n));
            }
        }
        EXPECT_EQ(total(items, plan_prompts(items)), static_cast<std::int64_t>(beginnings.size()) + again);
    }
}

class PromptReaderTest : public testing::TestWithParam<const char*> {
  protected:
    PromptReaderTest() : file_(test::TinyModel{.architecture = GetParam()}.write().bytes()) {
        model_ = Model::load(file_.path(), {.threads = 2});
    }
    AnswerScore fresh_score(const KvSpec& spec, const TaskItem& item, const std::vector<Token>& answer) {
        const auto session = Session::create(model_, spec);
        AnswerScore score{0, true};
        std::span<const Token> next = item.prompt;
        for (std::size_t i = 0; i < answer.size(); ++i) {
            session->eval(next);
            const RowScore row = score_row(session->logits(), answer[i]);
            score.nll += row.nll;
            score.greedy = score.greedy && row.top == answer[i];
            next = std::span(answer).subspan(i, 1);
        }
        return score;
    }
    test::TempFile file_;
    std::shared_ptr<Model> model_;
};

// Long enough that branches lie in sealed pages, at their borders and in open ones.
std::vector<TaskItem> long_items() {
    std::mt19937 rng(11);
    std::vector<TaskItem> items;
    std::vector<Token> stem(330);
    for (Token& t : stem) t = static_cast<Token>(3 + rng() % 250);
    for (const std::size_t shared : {330u, 256u, 330u, 192u, 128u, 128u, 5u, 0u}) {
        TaskItem item;
        item.prompt.assign(stem.begin(), stem.begin() + static_cast<std::ptrdiff_t>(shared));
        for (int i = 0; i < 70; ++i) item.prompt.push_back(static_cast<Token>(3 + rng() % 250));
        for (int a = 0; a < 3; ++a)
            item.answers.emplace_back(1 + rng() % 40, static_cast<Token>(3 + rng() % 250));
        items.push_back(std::move(item));
    }
    return items;
}

TEST_P(PromptReaderTest, ScoresAreThoseOfFreshSessions) {
    const auto items = long_items();
    const auto plan = plan_prompts(items);
    for (const char* name : {"f16", "k8v4", "k3v6", "k4v2+tail=0+0=k8v8"}) {
        const KvSpec spec = KvSpec::parse(name);
        PromptReader reader(model_, spec, 1000);
        std::int64_t seen = 0, planned = 0;
        for (std::size_t i = 0; i < items.size(); ++i) {
            planned += planned_tokens(items[i], plan[i]);
            const auto scores = reader.score(items[i], plan[i], [&](int n) {
                seen += n;
                return true;
            });
            ASSERT_EQ(scores.size(), items[i].answers.size());
            for (std::size_t a = 0; a < scores.size(); ++a) {
                const auto expected = fresh_score(spec, items[i], items[i].answers[a]);
                EXPECT_NEAR(scores[a].nll, expected.nll, 1e-9) << spec.name() << " item " << i;
                EXPECT_EQ(scores[a].greedy, expected.greedy);
            }
        }
        EXPECT_EQ(seen, planned);
    }
}

// An answer is right if greedy decoding writes it.
TEST_P(PromptReaderTest, GreedyMeansThatDecodingWritesIt) {
    auto items = long_items();
    items.resize(1);
    TaskItem& item = items[0];
    const auto session = Session::create(model_, KvSpec::parse("k8v4"));
    session->eval(item.prompt);
    std::vector<Token> written;
    for (int i = 0; i < 6; ++i) {
        const Token next = score_row(session->logits(), 0).top;
        written.push_back(next);
        session->eval({&next, 1});
    }
    item.answers = {written, written, {written[0]}};
    item.answers[1].back() = written.back() == 9 ? 10 : 9;
    PromptReader reader(model_, KvSpec::parse("k8v4"), 1000);
    const auto scores = reader.score(item, plan_prompts(items)[0], {});
    EXPECT_TRUE(scores[0].greedy);
    EXPECT_FALSE(scores[1].greedy);
    EXPECT_TRUE(scores[2].greedy);
}

TEST_P(PromptReaderTest, CanBeStopped) {
    const auto items = long_items();
    PromptReader reader(model_, KvSpec::parse("k8v4"), 1000);
    EXPECT_TRUE(reader.score(items[0], plan_prompts(items)[0], [](int) { return false; }).empty());
}

INSTANTIATE_TEST_SUITE_P(Architectures, PromptReaderTest, testing::Values("llama", "gemma3"));

}  // namespace
}  // namespace kvsplit::lab
