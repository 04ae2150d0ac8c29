// A comparison of a tiny random model: its measurements, and continuing after a stop.
#include "lab/compare.h"

#include <gtest/gtest.h>

#include "engine/tiny_model.h"
#include "kvsplit/error.h"
#include "lab/builtin_text.h"
#include "lab/report/json.h"
#include "lab/speed.h"

namespace kvsplit::lab {
namespace {

class Compare : public testing::Test {
  protected:
    Compare() : file_(test::TinyModel{}.write().bytes()) {
        results_.settings = compare_settings(CompareEffort::kQuick);
        auto& s = results_.settings;
        for (const char* kv : {"f16", "k8v8", "k8v4", "k4v8", "k4v4", "k2v2", "k5v4"})
            s.specs.push_back(KvSpec::parse(kv));
        s.quality_context = 300;
        s.quality_chunks = 2;
        s.contexts = {64, 400};
        s.prefill_tokens = 32;
        s.decode_tokens = 3;
        hooks_.load = [this](bool exact) {
            return Model::load(file_.path(), {.threads = 2, .exact = exact});
        };
        hooks_.save = [this](const CompareResults&) { ++saved_; };
    }

    void fit() { fit_settings(results_, *hooks_.load(true), text()); }
    static std::string_view text() { return builtin_text().substr(0, 4000); }

    test::TempFile file_;
    CompareResults results_;
    CompareHooks hooks_;
    int saved_ = 0;
};

TEST_F(Compare, MeasuresAllThatWasAsked) {
    fit();
    EXPECT_FALSE(results_.complete());
    double last = 0;
    hooks_.progress = [&](double fraction, std::string_view doing) {
        EXPECT_GE(fraction, last - 1e-9);
        EXPECT_LE(fraction, 1);
        EXPECT_FALSE(doing.empty());
        last = fraction;
        return true;
    };
    EXPECT_TRUE(run_compare(results_, text(), hooks_));
    EXPECT_TRUE(results_.complete());
    EXPECT_EQ(saved_, 2 + 7 + 2);  // two groups, a cache at a time, two depths
    EXPECT_EQ(results_.quality.size(), 7u);
    EXPECT_EQ(results_.memory.size(), 14u);
    EXPECT_EQ(results_.speed.size(), 7u * 2 * 2);
    const auto model = hooks_.load(false);
    for (const auto& m : results_.memory) {
        EXPECT_EQ(m.kv.bytes.total(), model->plan(m.spec, m.context).bytes.total()) << m.spec.name();
        EXPECT_GT(m.peak_rss, 0u);
    }
}

// A separate measurement with the same settings gives the same results.
TEST_F(Compare, DivergenceIsThatOfPerplexity) {
    fit();
    ASSERT_TRUE(run_compare(results_, text(), hooks_));
    PerplexityOptions options;
    options.specs = results_.settings.specs;
    options.context = results_.settings.quality_context;
    options.chunks = results_.settings.quality_chunks;
    const auto report = measure_perplexity(hooks_.load(true), text(), options);
    for (const auto& r : report.results) {
        const auto& q = results_.quality_of(r.spec)->result;
        EXPECT_EQ(q.perplexity.value, r.perplexity.value) << r.spec.name();
        EXPECT_EQ(q.vs_f16->kld_mean, r.vs_f16->kld_mean) << r.spec.name();
        EXPECT_EQ(q.vs_f16->kld_p999, r.vs_f16->kld_p999) << r.spec.name();
    }
}

// Stopped at every call of the callback and continued: the divergence is that of an undisturbed run, and
// nothing is done twice.
TEST_F(Compare, GoesOnWhereItWasStopped) {
    fit();
    const CompareResults start = results_;
    ASSERT_TRUE(run_compare(results_, text(), hooks_));
    const CompareResults whole = results_;
    results_ = start;
    int stops = 0;
    for (int allowed = 1;; allowed += 3) {
        int asked = 0;
        hooks_.progress = [&](double, std::string_view) { return ++asked < allowed; };
        const auto memory_before = results_.memory.size(), depths_before = results_.speed_done.size();
        // Through the file, as in the program.
        CompareResults next = start;
        read_measurements(Json::parse(to_json(results_).dump()), "results.json", next);
        results_ = std::move(next);
        const bool done = run_compare(results_, text(), hooks_);
        EXPECT_GE(results_.memory.size(), memory_before);
        EXPECT_GE(results_.speed_done.size(), depths_before);
        EXPECT_EQ(done, results_.complete());
        if (done) break;
        ++stops;
        ASSERT_LT(stops, 1000);
    }
    EXPECT_GT(stops, 4);
    EXPECT_EQ(results_.memory.size(), whole.memory.size());
    EXPECT_EQ(results_.speed.size(), whole.speed.size());
    for (const auto& q : whole.quality) {
        const auto& again = *results_.quality_of(q.result.spec);
        EXPECT_EQ(again.result.perplexity.value, q.result.perplexity.value);
        EXPECT_EQ(again.result.vs_f16->kld_mean, q.result.vs_f16->kld_mean);
        EXPECT_EQ(again.tokens_scored, q.tokens_scored);
    }
}

TEST_F(Compare, SettingsAreMadeToFit) {
    auto& s = results_.settings;
    s.contexts = {400, 100000, 64, 64};
    s.quality_chunks = 1000;
    s.specs = {KvSpec::parse("k8v4"), KvSpec::parse("k8v4"), KvSpec::parse("f16")};
    fit();
    EXPECT_EQ(s.contexts, (std::vector<int>{64, 400}));
    ASSERT_EQ(s.specs.size(), 2u);
    EXPECT_EQ(s.specs[0].name(), "f16");
    EXPECT_LT(s.quality_chunks, 20);
    ASSERT_EQ(results_.notes.size(), 2u);
    EXPECT_NE(results_.notes[0].find("100000 tokens are left out: the model was made for 4096"),
              std::string::npos);
    EXPECT_NE(results_.notes[1].find("chunks of 300 tokens are measured"), std::string::npos);
}

TEST_F(Compare, WhatCannotBeMeasuredIsRefused) {
    const auto refused = [&](auto change) {
        auto results = results_;
        change(results);
        EXPECT_THROW(fit_settings(results, *hooks_.load(true), ""), Error);
    };
    refused([](CompareResults&) {});  // the text
    refused([](CompareResults& r) { r.settings.specs.resize(1); });
    refused([](CompareResults& r) { r.settings.contexts.clear(); });
    refused([](CompareResults& r) { r.settings.contexts = {0}; });
}

}  // namespace
}  // namespace kvsplit::lab
