// hellaswag and lambada on a real model against transformers (scripts/oracles/eval_tasks.py).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "lab/eval.h"
#include "lab/eval_tally.h"
#include "lab/prompt_tree.h"
#include "test_models.h"

namespace kvsplit::lab {
namespace {

std::string read(const std::string& name) {
    std::ifstream in(std::string(KVSPLIT_TEST_DATA "/eval/") + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

class EvalModelTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        if (const auto path = smollm2_path(); !path.empty()) model_ = Model::load(path, {.exact = true});
        golden_ = nlohmann::json::parse(read("scores.json"));
    }
    static void TearDownTestSuite() { model_.reset(); }
    void SetUp() override {
        if (!model_) GTEST_SKIP() << "SmolLM2 is not here: scripts/models.sh smollm2";
    }
    static Task task_of(std::string_view name, const std::string& file) {
        TaskOptions options;
        options.file = file;
        options.text = read(file);
        options.shots = 0;
        return make_task(*model_, *find_task(name), options);
    }
    // Calls check(index, item, scores of its answers), with keys and values unrounded as in the oracle.
    // Returns how many were right.
    template <typename Check>
    static int score_all(const Task& task, Check check) {
        const auto spec = KvSpec::parse("f32");
        const auto plan = plan_prompts(task.items);
        PromptReader reader(model_, spec, 1024);
        EvalTally tally(task.items, {{spec, [](int) { return false; }, [](int, int) { return true; }}},
                        std::nullopt);
        for (std::size_t i = 0; i < task.items.size(); ++i) {
            const std::vector<std::vector<AnswerScore>> scores{reader.score(task.items[i], plan[i], {})};
            check(i, task.items[i], scores[0]);
            tally.add(scores);
        }
        return tally.report().results[0].right;
    }
    static int golden_right(const char* task) {
        int right = 0;
        for (const auto& item : golden_.at(task)) right += item.at("right").get<bool>();
        return right;
    }
    static std::shared_ptr<Model> model_;
    static nlohmann::json golden_;
};
std::shared_ptr<Model> EvalModelTest::model_;
nlohmann::json EvalModelTest::golden_;

constexpr double kTolerance = 1e-3;  // nats per token

TEST_F(EvalModelTest, HellaswagEndings) {
    const auto task = task_of("hellaswag", "hellaswag.txt");
    const auto& golden = golden_.at("hellaswag");
    ASSERT_EQ(task.items.size(), golden.size());
    const int right =
        score_all(task, [&](std::size_t i, const TaskItem& item, const std::vector<AnswerScore>& scores) {
            EXPECT_EQ(item.prompt.size(), golden[i].at("scored_from").get<std::size_t>());
            for (std::size_t a = 0; a < 4; ++a) {
                EXPECT_NEAR(-scores[a].nll / double(item.answers[a].size()),
                            golden[i].at("mean_logp")[a].get<double>(), kTolerance)
                    << "question " << i << ", ending " << a;
            }
        });
    EXPECT_EQ(right, golden_right("hellaswag"));
}

TEST_F(EvalModelTest, LambadaWords) {
    const auto task = task_of("lambada", "lambada.jsonl");
    const auto& golden = golden_.at("lambada");
    ASSERT_EQ(task.items.size(), golden.size());
    const int right =
        score_all(task, [&](std::size_t i, const TaskItem& item, const std::vector<AnswerScore>& scores) {
            EXPECT_EQ(item.answers[0].size(), golden[i].at("tokens").get<std::size_t>());
            EXPECT_NEAR(-scores[0].nll, golden[i].at("logp").get<double>(),
                        kTolerance * double(item.answers[0].size()))
                << "passage " << i;
            EXPECT_EQ(scores[0].greedy, golden[i].at("right").get<bool>()) << "passage " << i;
        });
    EXPECT_EQ(right, golden_right("lambada"));
}

}  // namespace
}  // namespace kvsplit::lab
