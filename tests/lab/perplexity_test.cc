// The statistics against numpy's (scripts/oracles/lab.py), through a stand-in for the model.
#include "lab/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kvsplit/error.h"
#include "lab/row_scores.h"

namespace kvsplit::lab {
namespace {

// The generator that lab.py has too: numbers in [-1, 1).
std::vector<float> lcg(std::size_t n, std::uint32_t x) {
    std::vector<float> out(n);
    for (float& value : out) {
        x = x * 1664525u + 1013904223u;
        value = static_cast<float>(x >> 8) * 0x1p-23f - 1.0f;
    }
    return out;
}

// A "model" whose logits are given: a hidden state is (variant, index of the scored row).
class FakeModel {
  public:
    FakeModel(int n_vocab, int context, std::vector<std::vector<float>> logits)
        : n_vocab_(n_vocab), context_(context), logits_(std::move(logits)), chunks_seen_(logits_.size()) {}

    Evaluator evaluator() {
        Evaluator out;
        out.n_embd = 2;
        out.n_vocab = n_vocab_;
        out.evaluate = [this](std::size_t variant, std::span<const Token> chunk, int first,
                              std::span<float> hidden, const std::function<bool(int)>& step) {
            EXPECT_EQ(chunk.size(), static_cast<std::size_t>(context_));
            EXPECT_EQ(hidden.size(), 2 * static_cast<std::size_t>(context_ - first));
            const int rows = context_ - 1 - first, chunk_index = chunks_seen_[variant]++;
            for (int i = 0; i < context_ - first; ++i) {
                hidden[static_cast<std::size_t>(2 * i)] = static_cast<float>(variant);
                hidden[static_cast<std::size_t>(2 * i + 1)] = static_cast<float>(chunk_index * rows + i);
            }
            return step(context_);
        };
        out.project = [this](std::span<const float> hidden, std::span<float> logits) {
            const auto width = static_cast<std::size_t>(n_vocab_);
            ASSERT_EQ(hidden.size() / 2 * width, logits.size());
            for (std::size_t i = 0; i < hidden.size() / 2; ++i) {
                const auto& rows = logits_[static_cast<std::size_t>(hidden[2 * i])];
                const auto row = static_cast<std::size_t>(hidden[2 * i + 1]);
                std::copy_n(rows.begin() + static_cast<std::ptrdiff_t>(row * width), width,
                            logits.begin() + static_cast<std::ptrdiff_t>(i * width));
            }
        };
        out.kv_stats = [](std::size_t variant) {
            KvStats stats;
            stats.bytes.key = variant + 1;
            return stats;
        };
        return out;
    }

  private:
    int n_vocab_, context_;
    std::vector<std::vector<float>> logits_;  // per variant: (rows, n_vocab)
    std::vector<int> chunks_seen_;
};

struct GoldenRun {
    nlohmann::json golden;
    std::vector<std::vector<float>> logits;  // reference, then same, near, far
    std::vector<Token> chunks;
    PerplexityOptions options;
};

GoldenRun golden_run() {
    GoldenRun run;
    std::ifstream(KVSPLIT_TEST_DATA "/lab/statistics.json") >> run.golden;
    const auto n_vocab = run.golden.at("n_vocab").get<std::size_t>();
    const auto n_rows = run.golden.at("n_rows").get<std::size_t>();
    auto base = lcg(n_rows * n_vocab, 1);
    for (float& x : base) x *= 8;
    const auto noise = lcg(n_rows * n_vocab, 2);
    run.logits.push_back(base);
    for (const char* name : {"same", "near", "far"}) {
        const auto scale = run.golden.at("results").at(name).at("scale").get<float>();
        auto logits = base;
        for (std::size_t i = 0; i < logits.size(); ++i) logits[i] += scale * noise[i];
        run.logits.push_back(std::move(logits));
    }
    // Context 22: positions 11 to 20 are scored, ten rows a chunk.
    run.options.context = 22;
    run.chunks.assign(n_rows / 10 * 22, 0);
    for (std::size_t row = 0; row < n_rows; ++row) {
        run.chunks[row / 10 * 22 + 12 + row % 10] = static_cast<Token>((7 * row * row + 3) % n_vocab);
    }
    run.options.specs = {{16, 16}, {8, 8}, {8, 4}, {4, 4}};
    return run;
}

TEST(Perplexity, StatisticsAgreeWithNumpy) {
    const auto run = golden_run();
    FakeModel model(run.golden.at("n_vocab"), 22, run.logits);
    const auto evaluator = model.evaluator();
    const auto report = measure_chunks(evaluator, run.chunks, run.options, 2);
    EXPECT_EQ(report.chunks, 4);
    EXPECT_EQ(report.tokens_scored, 40u);
    ASSERT_EQ(report.results.size(), 4u);
    std::size_t v = 1;
    for (const char* name : {"same", "near", "far"}) {
        SCOPED_TRACE(name);
        const auto& expected = run.golden.at("results").at(name);
        const auto& result = report.results[v++];
        ASSERT_TRUE(result.vs_f16.has_value());
        const auto near = [&](const char* key, double found) {
            const double value = expected.at(key).get<double>();
            EXPECT_NEAR(found, value, 5e-8 + 2e-5 * std::abs(value)) << key;
        };
        near("ppl", result.perplexity.value);
        near("ppl_stderr", result.perplexity.stderr_);
        near("ppl_change_pct", result.vs_f16->ppl_change_pct);
        near("ppl_change_stderr_pct", result.vs_f16->ppl_change_stderr_pct);
        near("kld_mean", result.vs_f16->kld_mean);
        near("kld_median", result.vs_f16->kld_median);
        near("kld_p99", result.vs_f16->kld_p99);
        near("kld_p999", result.vs_f16->kld_p999);
        near("top1_agreement", result.vs_f16->top1_agreement);
        near("rms_dp", result.vs_f16->rms_dp);
        // The spread of tiny divergences is at the level of float rounding.
        EXPECT_NEAR(result.vs_f16->kld_stderr, expected.at("kld_stderr").get<double>(), 1e-8);
    }
    EXPECT_EQ(report.results[3].kv.bytes.key, 4u);
}

TEST(Perplexity, ReferenceAgreesWithItself) {
    const auto run = golden_run();
    FakeModel model(run.golden.at("n_vocab"), 22, run.logits);
    const auto report = measure_chunks(model.evaluator(), run.chunks, run.options, 1);
    const auto& self = report.results[0].vs_f16;
    ASSERT_TRUE(self.has_value());
    EXPECT_EQ(self->kld_mean, 0);
    EXPECT_EQ(self->ppl_change_pct, 0);
    EXPECT_EQ(self->top1_agreement, 1);
}

TEST(Perplexity, WithoutF16ThereIsNothingToCompareWith) {
    auto run = golden_run();
    run.options.specs = {{8, 8}, {8, 4}};
    FakeModel model(run.golden.at("n_vocab"), 22, run.logits);
    const auto report = measure_chunks(model.evaluator(), run.chunks, run.options, 1);
    EXPECT_FALSE(report.results[0].vs_f16.has_value());
    EXPECT_GT(report.results[0].perplexity.value, 1);
}

TEST(Perplexity, WhereTheReferenceStandsMakesNoDifference) {
    auto run = golden_run();
    FakeModel first(run.golden.at("n_vocab"), 22, run.logits);
    const auto a = measure_chunks(first.evaluator(), run.chunks, run.options, 1);
    std::swap(run.logits[0], run.logits[3]);
    std::swap(run.options.specs[0], run.options.specs[3]);
    FakeModel second(run.golden.at("n_vocab"), 22, run.logits);
    const auto b = measure_chunks(second.evaluator(), run.chunks, run.options, 3);
    EXPECT_EQ(a.results[3].vs_f16->kld_mean, b.results[0].vs_f16->kld_mean);
    EXPECT_EQ(a.results[1].perplexity.value, b.results[1].perplexity.value);
}

// More rows than a block holds: every row is scored once, against its own target.
TEST(Perplexity, LongChunksAreScoredInBlocks) {
    constexpr int kContext = 700, kRows = kContext - 1 - kContext / 2, kVocab = 19;
    const auto logits = lcg(std::size_t{kRows} * kVocab, 5);
    std::vector<Token> chunk(kContext);
    for (std::size_t i = 0; i < chunk.size(); ++i) chunk[i] = static_cast<Token>(i * i % kVocab);
    double nll = 0;
    for (std::size_t i = 0; i < kRows; ++i) {
        nll += score_row(std::span(logits).subspan(i * kVocab, kVocab), chunk[kContext / 2 + i + 1]).nll;
    }
    FakeModel model(kVocab, kContext, {logits});
    PerplexityOptions options;
    options.specs = {{16, 16}};
    options.context = kContext;
    const auto report = measure_chunks(model.evaluator(), chunk, options, 2);
    EXPECT_EQ(report.tokens_scored, static_cast<std::size_t>(kRows));
    EXPECT_NEAR(report.results[0].nll.value, nll / kRows, 1e-12);
}

TEST(Perplexity, CallbackSeesProgressAndCanStop) {
    const auto run = golden_run();
    FakeModel model(run.golden.at("n_vocab"), 22, run.logits);
    double last = 0;
    const auto report =
        measure_chunks(model.evaluator(), run.chunks, run.options, 1, [&](const PerplexityProgress& p) {
            EXPECT_GE(p.fraction, last);
            EXPECT_LE(p.fraction, 1.0);
            EXPECT_EQ(p.chunks_total, 4);
            last = p.fraction;
            return p.chunks_done < 2;
        });
    EXPECT_EQ(report.chunks, 2);
    EXPECT_EQ(report.tokens_scored, 20u);
    EXPECT_NEAR(last, 0.5, 1e-12);
}

TEST(Perplexity, RefusesOptionsWithoutMeaning) {
    const auto run = golden_run();
    FakeModel model(run.golden.at("n_vocab"), 22, run.logits);
    const auto refuses = [&](auto change) {
        auto options = run.options;
        change(options);
        EXPECT_THROW(measure_chunks(model.evaluator(), run.chunks, options, 1), Error);
    };
    refuses([](auto& o) { o.specs.clear(); });
    refuses([](auto& o) { o.specs.push_back({8, 4}); });
    refuses([](auto& o) { o.specs.push_back({7, 4}); });
    refuses([](auto& o) { o.context = 3; });
    refuses([](auto& o) { o.chunks = -1; });
    refuses([](auto& o) { o.batch = 0; });
}

}  // namespace
}  // namespace kvsplit::lab
