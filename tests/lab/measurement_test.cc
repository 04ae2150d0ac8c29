// The statistics against numpy's (scripts/oracles/lab.py), through a stand-in for the model.
#include "lab/measurement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "kvsplit/error.h"
#include "lab/row_scores.h"

namespace kvsplit::lab {
namespace {

// The same generator as in lab.py: numbers in [-1, 1).
std::vector<float> lcg(std::size_t n, std::uint32_t x) {
    std::vector<float> out(n);
    for (float& value : out) {
        x = x * 1664525u + 1013904223u;
        value = static_cast<float>(x >> 8) * 0x1p-23f - 1.0f;
    }
    return out;
}

// A cache with given logits, one row per scored position.
class GivenLane final : public Lane {
  public:
    GivenLane(int context, std::size_t n_vocab, std::vector<float> logits)
        : context_(context), n_vocab_(n_vocab), logits_(std::move(logits)) {}

    std::string name() const override { return "given"; }
    void restart() override {
        ++chunk_;
        length_ = 0;
    }
    void read(std::span<const Token> tokens) override {
        last_ = length_;
        length_ += static_cast<int>(tokens.size());
        longest_read_ = std::max(longest_read_, tokens.size());
        EXPECT_LE(length_, context_);
    }
    void logits(int first, std::span<float> out) override {
        const int rows = context_ - 1 - context_ / 2;
        const int row = chunk_ * rows + last_ + first - context_ / 2;
        EXPECT_LE(first + static_cast<int>(out.size() / n_vocab_), length_ - last_);
        const auto from = logits_.begin() + static_cast<std::ptrdiff_t>(n_vocab_) * row;
        std::copy_n(from, out.size(), out.begin());
    }
    std::size_t longest_read() const { return longest_read_; }

  private:
    int context_, chunk_ = -1, length_ = 0, last_ = 0;
    std::size_t n_vocab_, longest_read_ = 0;
    std::vector<float> logits_;  // (rows, n_vocab)
};

constexpr const char* kNames[] = {"same", "near", "far"};

// The golden's rows with four caches: the reference, then those of kNames.
struct GoldenRun {
    nlohmann::json golden;
    std::vector<std::vector<float>> logits;
    std::vector<Token> chunks;
    MeasurementPlan plan;

    std::vector<LaneScores> measure(const std::function<bool(const MeasurementState&)>& step = {}) {
        std::vector<std::unique_ptr<GivenLane>> lanes;
        plan.lanes.clear();
        for (const auto& rows : logits) {
            lanes.push_back(std::make_unique<GivenLane>(plan.context, plan.n_vocab, rows));
            plan.lanes.push_back(lanes.back().get());
        }
        return lab::measure(plan, chunks, step);
    }
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
    for (const char* name : kNames) {
        const auto scale = run.golden.at("results").at(name).at("scale").get<float>();
        auto logits = base;
        for (std::size_t i = 0; i < logits.size(); ++i) logits[i] += scale * noise[i];
        run.logits.push_back(std::move(logits));
    }
    // Context 22: positions 11 to 20 are scored, ten rows a chunk.
    run.chunks.assign(n_rows / 10 * 22, 0);
    for (std::size_t row = 0; row < n_rows; ++row) {
        run.chunks[row / 10 * 22 + 12 + row % 10] = static_cast<Token>((7 * row * row + 3) % n_vocab);
    }
    run.plan.reference = 0;
    run.plan.n_vocab = static_cast<int>(n_vocab);
    run.plan.context = 22;
    return run;
}

void expect_golden(const nlohmann::json& expected, const Mean& nll, const Divergence& d) {
    const auto near = [&](const char* key, double found) {
        const double value = expected.at(key).get<double>();
        EXPECT_NEAR(found, value, 5e-8 + 2e-5 * std::abs(value)) << key;
    };
    near("ppl", perplexity(nll).value);
    near("ppl_stderr", perplexity(nll).stderr_);
    near("ppl_change_pct", d.ppl_change_pct);
    near("ppl_change_stderr_pct", d.ppl_change_stderr_pct);
    near("kld_mean", d.kld_mean);
    near("kld_median", d.kld_median);
    near("kld_p99", d.kld_p99);
    near("kld_p999", d.kld_p999);
    near("top1_agreement", d.top1_agreement);
    near("rms_dp", d.rms_dp);
    // The spread of tiny divergences is at the level of float rounding.
    EXPECT_NEAR(d.kld_stderr, expected.at("kld_stderr").get<double>(), 1e-8);
}

TEST(Measurement, StatisticsAgreeWithNumpyWhateverTheBatch) {
    auto run = golden_run();
    run.plan.threads = 2;
    for (const int batch : {512, 11, 4, 1}) {
        SCOPED_TRACE(batch);
        run.plan.batch = batch;
        const auto scores = run.measure();
        ASSERT_EQ(scores.size(), 4u);
        for (std::size_t i = 1; i < 4; ++i) {
            SCOPED_TRACE(kNames[i - 1]);
            EXPECT_EQ(scores[i].nll.count(), 40u);
            ASSERT_TRUE(scores[i].vs_reference.divergence().has_value());
            EXPECT_FALSE(scores[i].vs_base.divergence().has_value());
            expect_golden(run.golden.at("results").at(kNames[i - 1]), scores[i].nll.mean(),
                          *scores[i].vs_reference.divergence());
        }
    }
}

TEST(Measurement, ReferenceAgreesWithItself) {
    const auto self = golden_run().measure()[0].vs_reference.divergence();
    ASSERT_TRUE(self.has_value());
    EXPECT_EQ(self->kld_mean, 0);
    EXPECT_EQ(self->ppl_change_pct, 0);
    EXPECT_EQ(self->top1_agreement, 1);
}

TEST(Measurement, WithoutAReferenceThereIsNothingToCompareWith) {
    auto run = golden_run();
    run.plan.reference.reset();
    const auto scores = run.measure();
    EXPECT_FALSE(scores[1].vs_reference.divergence().has_value());
    EXPECT_GT(perplexity(scores[1].nll.mean()).value, 1);
}

TEST(Measurement, ABaseIsASecondReference) {
    auto run = golden_run();
    const auto forward = run.measure();
    run.plan.base = 3;
    const auto both = run.measure();
    EXPECT_EQ(both[2].vs_reference.divergence()->kld_mean, forward[2].vs_reference.divergence()->kld_mean);
    EXPECT_EQ(both[3].vs_base.divergence()->kld_mean, 0);
    // With the roles exchanged, the changes are negated.
    EXPECT_NEAR(both[0].vs_base.divergence()->rms_dp, both[3].vs_reference.divergence()->rms_dp, 1e-12);
    EXPECT_GT(both[2].vs_base.divergence()->kld_mean, 0);
}

TEST(Measurement, WhereTheReferenceStandsMakesNoDifference) {
    auto run = golden_run();
    const auto a = run.measure();
    std::swap(run.logits[0], run.logits[3]);
    run.plan.reference = 3;
    run.plan.threads = 3;
    const auto b = run.measure();
    EXPECT_EQ(a[3].vs_reference.divergence()->kld_mean, b[0].vs_reference.divergence()->kld_mean);
    EXPECT_EQ(a[1].nll.mean().value, b[1].nll.mean().value);
}

// More rows than in a block or batch: every row is scored once, against its own target.
TEST(Measurement, LongChunksAreReadInBatchesAndScoredInBlocks) {
    constexpr int kContext = 1700, kRows = kContext - 1 - kContext / 2, kVocab = 19;
    const auto logits = lcg(std::size_t{kRows} * kVocab, 5);
    std::vector<Token> chunk(kContext);
    for (std::size_t i = 0; i < chunk.size(); ++i) chunk[i] = static_cast<Token>(i * i % kVocab);
    double nll = 0;
    for (std::size_t i = 0; i < kRows; ++i) {
        nll += score_row(std::span(logits).subspan(i * kVocab, kVocab), chunk[kContext / 2 + i + 1]).nll;
    }
    GivenLane lane(kContext, kVocab, logits);
    MeasurementPlan plan;
    plan.lanes = {&lane};
    plan.n_vocab = kVocab;
    plan.context = kContext;
    plan.batch = 300;
    plan.threads = 2;
    const auto scores = measure(plan, chunk, {});
    EXPECT_EQ(scores[0].nll.count(), static_cast<std::size_t>(kRows));
    EXPECT_NEAR(scores[0].nll.mean().value, nll / kRows, 1e-12);
    EXPECT_EQ(lane.longest_read(), 300u);
}

TEST(Measurement, StepSeesProgressAndCanStop) {
    auto run = golden_run();
    double last = 0;
    const auto scores = run.measure([&](const MeasurementState& state) {
        EXPECT_GE(state.fraction, last);
        EXPECT_LE(state.fraction, 1.0);
        EXPECT_EQ(state.chunks_total, 4);
        last = state.fraction;
        return state.chunks_done < 2;
    });
    EXPECT_EQ(scores[0].nll.count(), 20u);
    EXPECT_NEAR(last, 0.5, 1e-12);
}

// Stopped after some lanes have read a batch: the tokens scored before are kept, the same for every lane.
TEST(Measurement, StoppingInsideAChunkKeepsWholeBatches) {
    auto run = golden_run();
    run.plan.batch = 4;
    int steps = 0;
    const auto scores = run.measure([&](const MeasurementState&) { return ++steps < 20; });
    EXPECT_EQ(scores[0].nll.count(), 4u);
    for (const LaneScores& s : scores) EXPECT_EQ(s.nll.count(), scores[0].nll.count());
}

TEST(Measurement, NanIsAnErrorThatNamesTheCacheAndThePlace) {
    auto run = golden_run();
    const auto n_vocab = static_cast<std::size_t>(run.plan.n_vocab);
    run.logits[2][n_vocab * 23 + 5] = std::numeric_limits<float>::quiet_NaN();  // chunk 2, position 11 + 3
    try {
        run.measure();
        FAIL() << "nothing was thrown";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kFormat);
        EXPECT_EQ(std::string(error.what()),
                  "given gives logits that are not finite, first after token 14 of chunk 2: the weights may "
                  "be damaged");
    }
}

}  // namespace
}  // namespace kvsplit::lab
