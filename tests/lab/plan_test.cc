// Plans for tiny random models: the arithmetic, and that the sums equal what is really allocated.
#include "lab/plan.h"

#include <gtest/gtest.h>

#include "engine/memory_plan.h"
#include "engine/tiny_model.h"
#include "kvsplit/error.h"

namespace kvsplit::lab {
namespace {

class PlanTest : public testing::TestWithParam<const char*> {
  protected:
    PlanTest()
        : file_(test::TinyModel{.architecture = GetParam(),
                                .layers = GetParam() == std::string("gemma3") ? 6 : 2}
                    .write()
                    .bytes()) {
        options_.specs = {KvSpec::parse("f16"), KvSpec::parse("k8v4"), KvSpec::parse("k4v4")};
        options_.model.threads = 2;
        options_.program = std::size_t{30} << 20;  // the measured value grows a little from plan to plan
    }
    Plan plan(std::size_t memory, int context = 0) {
        options_.memory = memory;
        options_.context = context;
        return make_plan(file_.path(), options_);
    }
    // What the model takes without a cache.
    std::size_t base() {
        const Plan p = plan(0, 1);
        return p.resident() + p.results[0].working;
    }

    test::TempFile file_;
    PlanOptions options_;
};

TEST_P(PlanTest, WeightsAreThoseThatTheEngineAllocates) {
    for (const bool exact : {false, true}) {
        const gguf::File file(file_.path());
        const ModelDescription description = describe(file);
        const auto backend = make_cpu_backend({.threads = 1, .activation_bits = exact ? 32 : 16});
        const Weights w = load_weights(file, description, *backend);
        const auto floats = [](const std::unique_ptr<Buffer>& b) {
            return b ? b->size() * sizeof(float) : 0;
        };
        std::size_t bytes = w.embedding->bytes() + floats(w.output_norm.gain);
        for (const LayerWeights& l : w.layers) {
            for (const Linear* m : {&l.qkv, &l.output, &l.up, &l.down}) bytes += m->matrix->bytes();
            for (const NormWeights* norm : {&l.attention_norm, &l.feed_forward_norm, &l.post_attention_norm,
                                            &l.post_feed_forward_norm, &l.q_norm, &l.k_norm}) {
                bytes += floats(norm->gain);
            }
        }
        EXPECT_EQ(MemoryPlan(file_.path(), {.threads = 1, .exact = exact}).weights(), bytes);
    }
}

TEST_P(PlanTest, CacheIsWhatSessionsAllocate) {
    const auto model = Model::load(file_.path(), {.threads = 2});
    for (const int context : {1, 64, 300, 1000}) {
        const Plan p = plan(std::size_t{1} << 30, context);
        for (const PlanResult& r : p.results) {
            const auto session = Session::create(model, r.spec);
            session->eval(std::vector<Token>(static_cast<std::size_t>(context), 3));
            EXPECT_EQ(r.kv.bytes.total(), session->stats().bytes.total()) << r.spec.name() << " " << context;
            std::size_t kinds = 0;
            for (const std::size_t bytes : r.kind_bytes) kinds += bytes;
            EXPECT_EQ(kinds, r.kv.bytes.total());
            EXPECT_EQ(r.total, p.program + p.weights + r.working + kinds);
            EXPECT_EQ(r.context, context);
            EXPECT_TRUE(r.fits);
        }
    }
}

TEST_P(PlanTest, LongestContextFitsAndOnePageMoreDoesNot) {
    const std::size_t memory = base() + 5'000'000;
    const Plan longest = plan(memory);
    for (const PlanResult& r : longest.results) {
        EXPECT_TRUE(r.fits);
        EXPECT_LE(r.total, memory);
        EXPECT_GT(r.context, 2000);
        EXPECT_FALSE(r.capped);
        const Plan more = plan(memory, r.context + 64);
        const std::size_t i = static_cast<std::size_t>(&r - longest.results.data());
        EXPECT_GT(more.results[i].total, memory) << r.spec.name();
    }
}

TEST_P(PlanTest, TimesF16) {
    const Plan longest = plan(base() + 5'000'000);
    const auto& r = longest.results;
    EXPECT_EQ(r[0].times_f16, 1.0);
    EXPECT_DOUBLE_EQ(*r[1].times_f16, double(r[1].context) / r[0].context);
    EXPECT_GT(*r[2].times_f16, *r[1].times_f16);
    const Plan given = plan(0, 2000);
    EXPECT_FALSE(given.results[0].fits);
    EXPECT_DOUBLE_EQ(*given.results[1].times_f16,
                     double(given.results[0].kv.bytes.total()) / double(given.results[1].kv.bytes.total()));
    // The comparison does not need f16 among the precisions.
    options_.specs = {KvSpec::parse("k8v4")};
    EXPECT_EQ(plan(0, 2000).results[0].times_f16, given.results[1].times_f16);
}

TEST_P(PlanTest, LayerKinds) {
    const Plan p = plan(std::size_t{1} << 30, 1000);
    ASSERT_EQ(p.kinds.size(), GetParam() == std::string("gemma3") ? 2u : 1u);
    EXPECT_EQ(p.kinds[0].window, 0);
    if (p.kinds.size() == 1) return;
    EXPECT_EQ(p.kinds[1].window, 100);
    EXPECT_EQ(p.kinds[0].layers + p.kinds[1].layers, 6);
    // Windows stop growing: the next tokens only add to the full layers, 128 bytes each at 16 bits.
    EXPECT_EQ(p.results[0].bytes_per_token, 128.0 * p.kinds[0].layers);
    const Plan longer = plan(std::size_t{1} << 30, 4000 + 1000 % 64 - 4000 % 64);
    EXPECT_EQ(longer.results[1].kind_bytes[1], p.results[1].kind_bytes[1]);
}

TEST_P(PlanTest, ARefusedPrecisionLeavesTheOthers) {
    options_.specs = {KvSpec::parse("k8v4+7=k8v8"), KvSpec::parse("k8v4+0=k8v8"), KvSpec::parse("k8v4")};
    const auto results = plan(std::size_t{1} << 30, 1000).results;
    EXPECT_NE(results[0].refusal.find("layer"), std::string::npos) << results[0].refusal;
    EXPECT_FALSE(results[0].fits);
    EXPECT_GT(results[1].kv.bytes.total(), results[2].kv.bytes.total());
}

TEST_P(PlanTest, TooLittleForTheModelSaysTheSum) {
    try {
        plan(100'000);
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
        for (const char* word : {"0.1 MiB do not hold the model", "weights", "working memory", "="}) {
            EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
        }
    }
}

TEST_P(PlanTest, EndsAtTheLongestPlan) {
    const Plan p = plan(std::size_t{1} << 50);
    for (const PlanResult& r : p.results) {
        EXPECT_EQ(r.context, kLongestPlan);
        EXPECT_TRUE(r.capped);
        EXPECT_EQ(r.times_f16, 1.0);
    }
}

TEST_P(PlanTest, RefusesOptionsWithoutMeaning) {
    EXPECT_THROW(plan(1, -1), Error);
    EXPECT_THROW(plan(1, kLongestPlan + 1), Error);
    options_.specs.clear();
    EXPECT_THROW(plan(1), Error);
    EXPECT_THROW(make_plan("no/such.gguf", {.specs = {KvSpec{}}, .model = {}}), Error);
}

INSTANTIATE_TEST_SUITE_P(Architectures, PlanTest, testing::Values("llama", "gemma3"));

}  // namespace
}  // namespace kvsplit::lab
