// The plan against what the operating system says that a real model took. A process of its own for each test.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/memory.h"
#include "engine/cache_probe.h"
#include "lab/plan.h"
#include "test_models.h"

namespace kvsplit::lab {
namespace {

constexpr double kTolerance = 0.03;

void expect_planned_peak(const std::string& path, const char* kv, int context) {
    if (path.empty()) GTEST_SKIP() << "no model: run scripts/models.sh";
    const ModelOptions options{.threads = 2};
    const Plan plan = make_plan(
        path,
        {.specs = {KvSpec::parse(kv)}, .memory = std::size_t{1} << 40, .context = context, .model = options});
    const auto model = Model::load(path, options);
    // Loading maps the file's pages on the way; they have left memory again.
    if (!reset_peak_rss()) GTEST_SKIP() << "this system does not tell";
    const auto session = Session::create(model, KvSpec::parse(kv), context);
    session->eval(std::vector<Token>(512, 5));
    fill_randomly(*session, context - 520, 1);
    for (int i = 0; i < 8; ++i) session->eval(std::vector<Token>{7});

    const PlanResult& r = plan.results[0];
    EXPECT_EQ(session->stats().bytes.total(), r.kv.bytes.total());
    const auto peak = static_cast<double>(peak_rss()), planned = static_cast<double>(r.total);
    EXPECT_NEAR(planned / peak, 1, kTolerance)
        << "planned " << r.total << ": program " << plan.program << ", weights " << plan.weights
        << ", working " << r.working << ", cache " << r.kv.bytes.total() << "; peak " << peak_rss();
    testing::Test::RecordProperty("planned", std::to_string(r.total));
    testing::Test::RecordProperty("peak", std::to_string(peak_rss()));
}

TEST(PlanMemory, SmolLM2) { expect_planned_peak(smollm2_path(), "k8v4", 8192); }
TEST(PlanMemory, SmolLM2F16) { expect_planned_peak(smollm2_path(), "f16", 8192); }
TEST(PlanMemory, Gemma3) { expect_planned_peak(gemma3_path(), "k8v4", 32768); }
TEST(PlanMemory, Gemma3F16) { expect_planned_peak(gemma3_path(), "f16", 8192); }

}  // namespace
}  // namespace kvsplit::lab
