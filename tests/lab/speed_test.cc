// The speed measurement on tiny random models: what is measured, in which order, and how bytes are counted.
// The speeds do not matter here.
#include "lab/speed.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/cache_probe.h"
#include "engine/tiny_model.h"
#include "kvsplit/error.h"
#include "lab/read_bandwidth.h"

namespace kvsplit::lab {
namespace {

using Kind = SpeedResult::Test;

class Speed : public testing::TestWithParam<const char*> {
  protected:
    Speed()
        : file_(test::TinyModel{.architecture = GetParam(),
                                .layers = GetParam() == std::string("gemma3") ? 6 : 2}
                    .write()
                    .bytes()),
          model_(Model::load(file_.path(), {.threads = 2})) {
        options_.specs = {KvSpec::parse("f16"), KvSpec::parse("k8v4")};
        options_.depths = {300, 0};
        options_.prefill_tokens = 70;
        options_.decode_tokens = 5;
        options_.repeats = 2;
        options_.read_memory = false;
    }

    test::TempFile file_;
    std::shared_ptr<Model> model_;
    SpeedOptions options_;
};

TEST_P(Speed, EveryCacheAtEveryDepth) {
    options_.read_memory = true;
    const auto report = measure_speed(model_, options_);
    ASSERT_EQ(report.results.size(), 8u);
    std::size_t i = 0;
    for (const char* kv : {"f16", "k8v4"}) {
        for (const int depth : {0, 300}) {
            for (const Kind test : {Kind::kPrefill, Kind::kDecode}) {
                const SpeedResult& r = report.results[i++];
                EXPECT_EQ(r.spec.name(), kv);
                EXPECT_EQ(r.depth, depth);
                ASSERT_EQ(r.test, test);
                EXPECT_EQ(r.tokens, test == Kind::kPrefill ? 70 : 5);
                ASSERT_EQ(r.samples.size(), 2u);
                const double mean = (r.samples[0] + r.samples[1]) / 2;
                EXPECT_NEAR(r.tokens_per_s, mean, 1e-9 * mean);
                EXPECT_NEAR(r.stddev, std::abs(r.samples[0] - r.samples[1]) / std::sqrt(2.0), 1e-9 * mean);
                EXPECT_EQ(r.kv.bytes.total(), model_->plan(r.spec, depth + r.tokens).bytes.total());
                EXPECT_EQ(r.kv_bytes_per_token > 0, test == Kind::kDecode);
                EXPECT_NEAR(r.kv_gb_per_s, r.kv_bytes_per_token * r.tokens_per_s / 1e9, 1e-12);
            }
        }
    }
    EXPECT_GT(report.read_gb_per_s, 0);
    EXPECT_GT(report.peak_rss, 0u);
}

TEST_P(Speed, RandomFillIsAsDeepAsEvaluation) {
    options_.specs.push_back(KvSpec::parse("k4v4"));
    options_.repeats = 1;
    const auto evaluated = measure_speed(model_, options_);
    options_.fast_fill = true;
    const auto random = measure_speed(model_, options_);
    ASSERT_EQ(random.results.size(), evaluated.results.size());
    for (std::size_t i = 0; i < random.results.size(); ++i) {
        EXPECT_EQ(random.results[i].kv.bytes.total(), evaluated.results[i].kv.bytes.total());
        EXPECT_EQ(random.results[i].kv_bytes_per_token, evaluated.results[i].kv_bytes_per_token);
    }
}

// 500 random tokens in pieces of any size, then a real one: finite, with the same bits for all pieces.
TEST_P(Speed, RandomFillLeavesAWorkingCache) {
    for (const KvSpec& spec : options_.specs) {
        const auto session = Session::create(model_, spec);
        for (const int n : {1, 63, 236, 200}) fill_randomly(*session, n, 1);
        EXPECT_EQ(session->length(), 500);
        session->eval(std::vector<Token>{5});
        for (const float x : session->logits()) ASSERT_TRUE(std::isfinite(x));
        EXPECT_THROW(fill_randomly(*session, 4096, 1), Error);
    }
}

TEST_P(Speed, StopsWhereTheCallbackSays) {
    double last = 0;
    const auto report = measure_speed(model_, options_, [&](double fraction, const SpeedReport& so_far) {
        EXPECT_GE(fraction, last);
        EXPECT_LE(fraction, 1);
        last = fraction;
        return so_far.results.size() < 3;
    });
    EXPECT_EQ(report.results.size(), 3u);
    for (const auto& r : report.results) EXPECT_EQ(r.samples.size(), 1u);
}

TEST_P(Speed, OneTestAlone) {
    options_.prefill_tokens = 0;
    for (const auto& r : measure_speed(model_, options_).results) EXPECT_EQ(r.test, Kind::kDecode);
    options_.prefill_tokens = 7;
    options_.decode_tokens = 0;
    for (const auto& r : measure_speed(model_, options_).results) EXPECT_EQ(r.test, Kind::kPrefill);
}

TEST_P(Speed, GoesBeyondTheTrainedContext) {
    options_.depths = {4090};
    options_.fast_fill = true;
    EXPECT_EQ(measure_speed(model_, options_).results.size(), 4u);
}

TEST_P(Speed, RefusesOptionsWithoutMeaning) {
    const auto refuses = [&](auto change) {
        auto options = options_;
        change(options);
        EXPECT_THROW(measure_speed(model_, options), Error);
    };
    refuses([](auto& o) { o.specs.clear(); });
    refuses([](auto& o) { o.depths.clear(); });
    refuses([](auto& o) { o.depths.push_back(-1); });
    refuses([](auto& o) { o.prefill_tokens = -1; });
    refuses([](auto& o) { o.prefill_tokens = o.decode_tokens = 0; });
    refuses([](auto& o) { o.repeats = 0; });
}

INSTANTIATE_TEST_SUITE_P(Architectures, Speed, testing::Values("llama", "gemma3"));

// By hand, for the tiny models: 2 KV heads of 16 channels; at 16 bits a token takes 2 * (16 + 16) * 2 bytes.
std::size_t bytes_read(const char* architecture, int layers, const char* kv, int n) {
    const test::TempFile file(
        test::TinyModel{.architecture = architecture, .layers = layers}.write().bytes());
    const auto model = Model::load(file.path(), {.threads = 1});
    const auto session = Session::create(model, KvSpec::parse(kv));
    EXPECT_EQ(kv_bytes_read(*session), 0u);
    session->eval(std::vector<Token>(static_cast<std::size_t>(n), 3));
    return kv_bytes_read(*session);
}

TEST(KvBytesRead, WholePagesOfCodesAndTheTokensThatAreExact) {
    EXPECT_EQ(bytes_read("llama", 2, "f16", 1), 2u * 128);
    EXPECT_EQ(bytes_read("llama", 2, "f16", 300), 2u * 300 * 128);
    // Pages 0, 1 and 2 are sealed: 64 tokens of 8 + 4 bits, a scale for each side of each token; key means
    // and their scale; 4 sinks in the first. 300 - 192 tokens are exact.
    const std::size_t page = 2 * (64 * (16 + 8) + 2 * 64 * 2 + 16 + 2), sinks = 2 * 4 * 2 * (16 + 16);
    EXPECT_EQ(bytes_read("llama", 2, "k8v4", 300), 2 * (3 * page + sinks + 108 * 128));
}

TEST(KvBytesRead, WindowsReadNoFurther) {
    // Five of the six layers see 100 tokens.
    EXPECT_EQ(bytes_read("gemma3", 6, "f16", 300), (5u * 100 + 300) * 128);
    const std::size_t page = 2 * (64 * (16 + 8) + 2 * 64 * 2 + 16 + 2), sinks = 2 * 4 * 2 * (16 + 16);
    EXPECT_EQ(bytes_read("gemma3", 6, "k8v4", 300), 5 * 100 * 128 + 3 * page + sinks + 108 * 128);
    // The window of the last token, 350, begins at 251: in page 3, which is sealed.
    EXPECT_EQ(bytes_read("gemma3", 6, "k8v4", 351), 5 * (page + 95 * 128) + 4 * page + sinks + 95 * 128);
}

TEST(ReadBandwidth, IsThatOfMemory) {
    const double speed = measure_read_bandwidth(2);
    EXPECT_GT(speed, 0.1);
    EXPECT_LT(speed, 10000);
}

}  // namespace
}  // namespace kvsplit::lab
