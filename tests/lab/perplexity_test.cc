// Measurements on tiny random models. The statistics are tested in measurement_test.cc, real models in
// lab_model_test.cc.
#include "lab/perplexity.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "engine/tiny_model.h"
#include "kvsplit/error.h"
#include "lab/same_report.h"

namespace kvsplit::lab {
namespace {

std::string letters(std::size_t n) {
    std::mt19937 rng(3);
    std::string text(n, ' ');
    for (char& c : text) c = static_cast<char>('a' + rng() % 20);
    return text;
}

// Every pair of widths up to 16 bits, and every other part of a precision.
std::vector<KvSpec> every_spec() {
    std::vector<KvSpec> specs;
    for (const int key : kv_widths()) {
        for (const int value : kv_widths()) specs.push_back(KvSpec{key, value});
    }
    for (const char* text :
         {"k4v4+tail=0+sinks=0", "k4v4+tail=192", "k5v4+0=k8v8", "k3v2+mean=off+rotation=off"}) {
        specs.push_back(KvSpec::parse(text));
    }
    return specs;
}

class PerplexityTest : public testing::Test {
  protected:
    std::shared_ptr<Model> load(const test::TinyModel& model = {},
                                const ModelOptions& options = {.threads = 1}, unsigned seed = 1) {
        files_.push_back(std::make_unique<test::TempFile>(model.write(seed).bytes()));
        return Model::load(files_.back()->path(), options);
    }
    static PerplexityOptions options(std::vector<KvSpec> specs, int context = 512) {
        PerplexityOptions out;
        out.specs = std::move(specs);
        out.context = context;
        return out;
    }
    std::vector<std::unique_ptr<test::TempFile>> files_;
    const std::string text_ = letters(1200);
};

// Decoding reads codes too: a cache has the same effect token by token as in one batch.
TEST_F(PerplexityTest, PrefillEqualsTokenByTokenForEveryPrecision) {
    for (const test::TinyModel& tiny :
         {test::TinyModel{}, test::TinyModel{.architecture = "gemma3", .layers = 6}}) {
        const auto model = load(tiny);
        auto measured = options(every_spec());
        measured.chunks = 1;
        measured.batch = 512;
        const auto prefill = measure_perplexity(model, text_, measured);
        measured.batch = 1;
        expect_same(prefill, measure_perplexity(model, text_, measured));
        for (const auto& r : prefill.results) {
            EXPECT_EQ(r.vs_f16->kld_mean > 0, r.spec != KvSpec::parse("f16")) << r.spec.name();
        }
    }
}

TEST_F(PerplexityTest, TheFloorIsTheF32Cache) {
    const auto model = load();
    auto measured = options({KvSpec::parse("f16"), KvSpec::parse("k4v4")});
    const auto without = measure_perplexity(model, text_, measured);
    EXPECT_FALSE(without.floor.has_value());
    EXPECT_FALSE(without.results[1].below_floor.has_value());
    const std::size_t bytes = measurement_cache_bytes(*model, measured);

    measured.floor = true;
    const auto with = measure_perplexity(model, text_, measured);
    ASSERT_TRUE(with.floor.has_value());
    EXPECT_EQ(with.floor->spec, KvSpec::parse("f32"));
    EXPECT_GT(with.floor->vs_f16->kld_mean, 0);
    ASSERT_EQ(with.results.size(), 2u);
    EXPECT_FALSE(with.results[0].below_floor.has_value());
    ASSERT_TRUE(with.results[1].below_floor.has_value());
    EXPECT_EQ(with.results[1].vs_f16->kld_mean, without.results[1].vs_f16->kld_mean);
    EXPECT_EQ(measurement_cache_bytes(*model, measured),
              bytes + model->plan(KvSpec::parse("f32"), 512).bytes.total());

    // If f32 is also asked for, it is measured once and shown in both places.
    measured.specs.push_back(KvSpec::parse("f32"));
    const auto named = measure_perplexity(model, text_, measured);
    EXPECT_EQ(named.results[2].vs_f16->kld_mean, with.floor->vs_f16->kld_mean);
    EXPECT_EQ(named.floor->vs_f16->kld_mean, with.floor->vs_f16->kld_mean);
    EXPECT_FALSE(named.results[2].below_floor.has_value());

    // Without f16 there is no floor.
    measured.specs = {KvSpec::parse("k8v4")};
    EXPECT_FALSE(measure_perplexity(model, text_, measured).floor.has_value());
}

TEST_F(PerplexityTest, ABaseDividesWeightsFromCache) {
    const auto model = load();
    auto measured = options({KvSpec::parse("f16"), KvSpec::parse("k4v4")});
    measured.base = model;
    const auto itself = measure_perplexity(model, text_, measured);
    EXPECT_EQ(itself.base->perplexity.value, itself.results[0].perplexity.value);
    EXPECT_EQ(itself.results[0].vs_base->kld_mean, 0);
    EXPECT_EQ(itself.results[1].vs_base->kld_mean, itself.results[1].vs_f16->kld_mean);

    measured.base = load({}, {.threads = 2, .exact = true});
    const auto exact = measure_perplexity(model, text_, measured);
    EXPECT_GT(exact.results[0].vs_base->kld_mean, 0);
    EXPECT_EQ(exact.results[1].vs_f16->kld_mean, itself.results[1].vs_f16->kld_mean);

    measured.base = load({}, {.threads = 1}, 2);  // other weights altogether
    const auto other = measure_perplexity(model, text_, measured);
    EXPECT_GT(other.results[0].vs_base->kld_mean, 10 * exact.results[0].vs_base->kld_mean);
    EXPECT_FALSE(other.base->vs_f16.has_value());
}

TEST_F(PerplexityTest, InterruptedFiguresAreThoseOfTheTokensScored) {
    const auto model = load();
    auto measured = options({KvSpec::parse("f16"), KvSpec::parse("k8v4")}, 500);
    measured.batch = 50;
    double last = 0;
    const auto report = measure_perplexity(model, text_, measured, [&](const PerplexityProgress& progress) {
        EXPECT_GE(progress.fraction, last);
        last = progress.fraction;
        EXPECT_EQ(progress.chunks_total, 2);
        return progress.report.tokens_scored < 300;
    });
    EXPECT_EQ(report.chunks, 1);
    EXPECT_EQ(report.tokens_scored, 249u + 100u);
    EXPECT_EQ(report.results[1].kv.bytes.total(), model->plan(KvSpec::parse("k8v4"), 500).bytes.total());
}

class PerplexityRefuses : public PerplexityTest {
  protected:
    void refuses(const PerplexityOptions& options, const std::string& says) {
        try {
            measure_perplexity(model_, text_, options);
            ADD_FAILURE() << "nothing was thrown: " << says;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
            EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
        }
    }
    void refuses(const std::function<void(PerplexityOptions&)>& change, const std::string& says) {
        auto changed = options({KvSpec::parse("f16"), KvSpec::parse("k8v4")}, 100);
        change(changed);
        refuses(changed, says);
    }
    std::shared_ptr<Model> model_ = load();
};

TEST_F(PerplexityRefuses, OptionsWithoutMeaning) {
    refuses([](auto& o) { o.specs.clear(); }, "no cache precision");
    refuses([](auto& o) { o.specs.push_back(KvSpec::parse("k8v4")); }, "k8v4 is named twice");
    refuses([](auto& o) { o.specs.back().key_bits = 7; }, "7 bits");
    refuses([](auto& o) { o.context = 3; }, "at least 4 tokens");
    refuses([](auto& o) { o.chunks = -1; }, "chunks is -1");
    refuses([](auto& o) { o.batch = 0; }, "batch 0");
}

TEST_F(PerplexityRefuses, WhatTextAndModelDoNotHave) {
    refuses([](auto& o) { o.context = 4000; }, "one chunk of 4000 tokens needs 4000");
    refuses([](auto& o) { o.chunks = 100; }, "100 chunks of 100 tokens need 10000");
    refuses([](auto& o) { o.context = 4097; }, "was made for 4096 tokens");
}

TEST_F(PerplexityRefuses, ABaseWithAnotherVocabulary) {
    refuses(
        [&](auto& o) {
            o.base = load({.pieces = {"a", "b", "ab", "c"}});
        },
        "it has a vocabulary of 263 tokens instead of 262");
    refuses([&](auto& o) { o.base = load({.pieces = {"a", "b", "ba"}}); }, "token 261 has another text");
}

}  // namespace
}  // namespace kvsplit::lab
