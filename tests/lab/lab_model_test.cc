// Measurements on a real model.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "lab/same_report.h"
#include "test_models.h"

namespace kvsplit::lab {
namespace {

class LabModelTest : public testing::Test {
  protected:
    void SetUp() override {
        path_ = smollm2_path();
        if (path_.empty()) GTEST_SKIP() << "SmolLM2 is not here: scripts/models.sh smollm2";
        std::ifstream in(KVSPLIT_DEMO_TEXT);
        text_.assign(std::istreambuf_iterator<char>(in), {});
        options_.context = 256;  // four pages; two are read as codes
        options_.chunks = 1;
    }
    std::string path_, text_;
    PerplexityOptions options_;
};

TEST_F(LabModelTest, PrefillEqualsTokenByToken) {
    const auto model = Model::load(path_, {.threads = 1});  // steps this short gain little from more threads
    for (const char* name : {"f16", "k8v4", "k4v4"}) options_.specs.push_back(KvSpec::parse(name));
    const auto prefill = measure_perplexity(model, text_, options_);
    options_.batch = 1;
    expect_same(prefill, measure_perplexity(model, text_, options_));
}

// With exact activations, unrounded keys and values change almost nothing.
TEST_F(LabModelTest, TheNoiseFloorIsTheRoundingOfActivations) {
    options_.specs = {KvSpec::parse("f16"), KvSpec::parse("k8v8")};
    options_.floor = true;
    const ModelOptions narrow{.threads = 2, .activation_bits = 8};
    const auto normal = measure_perplexity(Model::load(path_, narrow), text_, options_);
    EXPECT_GT(normal.floor->vs_f16->kld_mean, 1e-3);
    EXPECT_TRUE(normal.results[1].below_floor->kld_mean);
    for (const ModelOptions& wide :
         {ModelOptions{.threads = 2, .exact = true}, ModelOptions{.threads = 2, .activation_bits = 16}}) {
        const auto report = measure_perplexity(Model::load(path_, wide), text_, options_);
        EXPECT_LT(report.floor->vs_f16->kld_mean, 1e-5);
        EXPECT_FALSE(report.results[1].below_floor->kld_mean);
    }
}

}  // namespace
}  // namespace kvsplit::lab
