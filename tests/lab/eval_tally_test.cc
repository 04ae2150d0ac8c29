#include "lab/eval_tally.h"

#include <gtest/gtest.h>

#include <cmath>

namespace kvsplit::lab {
namespace {

const KvSpec kF16 = KvSpec::parse("f16"), kCoarse = KvSpec::parse("k4v4");

TaskItem item_of(int prompt, std::vector<std::size_t> answers, int right = 0) {
    TaskItem item;
    item.prompt.resize(static_cast<std::size_t>(prompt));
    for (const std::size_t n : answers) item.answers.emplace_back(n);
    item.right = right;
    return item;
}

// An exact cache and one that reads all but the last 10 tokens from codes.
std::vector<EvalCache> caches() {
    return {{kF16, [](int) { return false; }, [](int, int) { return true; }},
            {kCoarse, [](int q) { return q >= 10; }, [](int q, int p) { return q - p < 10; }}};
}

using Scores = std::vector<std::vector<AnswerScore>>;  // per cache, per answer

TEST(EvalTally, TheBestMeanPerTokenWins) {
    const std::vector<TaskItem> items{item_of(5, {4, 2}, 0), item_of(5, {4, 2}, 0)};
    EvalTally tally(items, caches(), 0);
    // 8 nats over four tokens are better than 5 over two; equals go to the first.
    tally.add(Scores{{{8, false}, {5, false}}, {{11, false}, {5, false}}});
    tally.add(Scores{{{8, false}, {4, false}}, {{8.2, false}, {4, false}}});
    const auto report = tally.report();
    EXPECT_EQ(report.items, 2);
    EXPECT_EQ(report.tokens_scored, 12);
    EXPECT_EQ(report.results[0].right, 2);
    EXPECT_EQ(report.results[1].right, 0);
    EXPECT_EQ(report.results[1].vs_f16->lost, 2);
    EXPECT_NEAR(report.results[0].nll.value, 2, 1e-12);
    EXPECT_NEAR(report.results[1].vs_f16->nll.value, (0.75 + 0.05) / 2, 1e-12);
    EXPECT_NEAR(report.results[0].answer_perplexity, std::exp(8), 1e-6);
    EXPECT_EQ(report.results[0].vs_f16->nll.value, 0);
    EXPECT_TRUE(report.results[0].cells.empty());
}

TEST(EvalTally, ASingleAnswerIsRightIfDecodingWritesIt) {
    const std::vector<TaskItem> items(4, item_of(5, {2}));
    EvalTally tally(items, caches(), 0);
    for (const auto& [before, after] :
         {std::pair{true, true}, {true, false}, {false, true}, {false, false}}) {
        tally.add(Scores{{{1, before}}, {{2, after}}});
    }
    const auto result = tally.report().results[1];
    EXPECT_EQ(result.right, 2);
    EXPECT_EQ(result.vs_f16->gained, 1);
    EXPECT_EQ(result.vs_f16->lost, 1);
    EXPECT_EQ(result.vs_f16->right.value, 0);
    EXPECT_EQ(result.vs_f16->nll.value, 0.5);
}

TEST(EvalTally, CountsWhatReadsCodes) {
    std::vector<TaskItem> items{item_of(5, {3}), item_of(9, {3}), item_of(40, {3}), item_of(40, {3})};
    items[2].evidence_end = 31;  // the last of its tokens is 30, nine before the query at 39
    items[3].evidence_end = 30;
    EvalTally tally(items, caches(), 0);
    for (int i = 0; i < 4; ++i) tally.add(Scores{{{1, true}}, {{1, true}}});
    const auto report = tally.report();
    EXPECT_EQ(report.tokens_scored, 12);
    EXPECT_EQ(report.results[0].tokens_sealed, 0);
    EXPECT_EQ(report.results[0].answers_exact, 4);
    EXPECT_EQ(report.results[1].tokens_sealed, 0 + 1 + 3 + 3);  // queries 4-6, 8-10, 39-41
    EXPECT_EQ(report.results[1].answers_exact, 3);
}

TEST(EvalTally, CellsAreContextsAndDepths) {
    std::vector<TaskItem> items(3, item_of(5, {1}));
    items[0].context = items[1].context = items[2].context = 64;
    items[0].depth = items[2].depth = 0.5;
    items[1].depth = 0.9;
    EvalTally tally(items, caches(), 0);
    for (int i = 0; i < 3; ++i) tally.add(Scores{{{1.0 + i, i == 0}}, {{1, true}}});
    const auto cells = tally.report().results[0].cells;
    ASSERT_EQ(cells.size(), 2u);
    EXPECT_EQ(cells[0].items, 2);
    EXPECT_EQ(cells[0].right, 1);
    EXPECT_EQ(cells[0].nll, 2);
    EXPECT_EQ(cells[1].depth, 0.9);
}

TEST(EvalTally, WithoutF16ThereIsNothingToCompareWith) {
    const std::vector<TaskItem> items{item_of(5, {1})};
    EvalTally tally(items, {caches()[1]}, std::nullopt);
    EXPECT_EQ(tally.report().items, 0);
    tally.add(Scores{{{1, true}}});
    EXPECT_FALSE(tally.report().results[0].vs_f16.has_value());
    EXPECT_TRUE(std::isnan(tally.report().results[0].nll.low));
}

}  // namespace
}  // namespace kvsplit::lab
