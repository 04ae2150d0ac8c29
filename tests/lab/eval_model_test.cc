// hellaswag and lambada on a real model against transformers (scripts/oracles/eval_tasks.py).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "lab/eval.h"
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
    // check(index, item, scores of its answers), with keys and values unrounded as the oracle has them.
    template <typename Check>
    static void score_all(const Task& task, Check check) {
        const auto plan = plan_prompts(task.items);
        PromptReader reader(model_, KvSpec::parse("f32"), 1024);
        for (std::size_t i = 0; i < task.items.size(); ++i) {
            check(i, task.items[i], reader.score(task.items[i], plan[i], {}));
        }
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
    score_all(task, [&](std::size_t i, const TaskItem& item, const std::vector<AnswerScore>& scores) {
        EXPECT_EQ(item.prompt.size(), golden[i].at("scored_from").get<std::size_t>());
        for (std::size_t a = 0; a < 4; ++a) {
            EXPECT_NEAR(-scores[a].nll / double(item.answers[a].size()),
                        golden[i].at("mean_logp")[a].get<double>(), kTolerance)
                << "question " << i << ", ending " << a;
        }
    });
    const std::vector<KvSpec> specs{KvSpec::parse("f16")};
    int right = 0;
    for (const auto& item : golden) right += item.at("right").get<bool>();
    EXPECT_EQ(run_task(model_, task, specs).results[0].right, right);
}

TEST_F(EvalModelTest, LambadaWords) {
    const auto task = task_of("lambada", "lambada.jsonl");
    const auto& golden = golden_.at("lambada");
    ASSERT_EQ(task.items.size(), golden.size());
    score_all(task, [&](std::size_t i, const TaskItem& item, const std::vector<AnswerScore>& scores) {
        EXPECT_EQ(item.answers[0].size(), golden[i].at("tokens").get<std::size_t>());
        EXPECT_NEAR(-scores[0].nll, golden[i].at("logp").get<double>(),
                    kTolerance * double(item.answers[0].size()))
            << "passage " << i;
        EXPECT_EQ(scores[0].greedy, golden[i].at("right").get<bool>()) << "passage " << i;
    });
}

}  // namespace
}  // namespace kvsplit::lab
