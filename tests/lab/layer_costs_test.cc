// Widths by layer from made-up costs, and the probe on a tiny model.
#include "lab/layer_costs.h"

#include <gtest/gtest.h>

#include "engine/tiny_model.h"
#include "kvsplit/error.h"
#include "lab/tuning.h"

namespace kvsplit::lab {
namespace {

constexpr int kLayers = 8;

class LayerCostsTest : public testing::Test {
  protected:
    LayerCostsTest()
        : file_(test::TinyModel{.layers = kLayers}.write().bytes()),
          model_(Model::load(file_.path(), {.threads = 2, .exact = true})) {
        costs_.key.assign(kLayers, 1e-4);
        costs_.value.assign(kLayers, 3e-5);
        costs_.key[3] = 2e-3;  // one layer matters
        costs_.value[6] = 1e-6;
    }
    double bits_of(const KvSpec& spec) const {
        const KvStats stats = model_->plan(spec, 0);
        return (stats.key_bits_per_element + stats.value_bits_per_element) / 2;
    }

    test::TempFile file_;
    std::shared_ptr<Model> model_;
    LayerCosts costs_;
};

TEST_F(LayerCostsTest, RelativeCostsFallWithBits) {
    for (const Side side : {Side::kKeys, Side::kValues}) {
        double last = 0;
        for (const int bits : kv_widths()) {  // widest first
            EXPECT_GE(relative_cost(side, bits), last) << bits;
            last = relative_cost(side, bits);
        }
        EXPECT_EQ(relative_cost(side, 4), 1);
        EXPECT_EQ(relative_cost(side, 16), 0);
    }
}

TEST_F(LayerCostsTest, BudgetIsKeptAndUsedWhereItCounts) {
    const auto groups = single_layers(kLayers);
    for (const double budget : {4.2, 5.5, 7.0}) {  // scales take a bit on heads of 16 channels
        const Choice layered = least_divergence(*model_, costs_, groups, budget);
        const Choice uniform = uniform_least_divergence(*model_, costs_, budget);
        EXPECT_LE(layered.bits_per_element, budget);
        EXPECT_NEAR(layered.bits_per_element, bits_of(layered.spec), 1e-9);
        EXPECT_NEAR(layered.expected_kld, costs_.of(layered.spec), 1e-12);
        EXPECT_LE(uniform.bits_per_element, budget);
        EXPECT_LT(layered.expected_kld, uniform.expected_kld);
        const KvWidths important = layered.spec.widths(3, kLayers), other = layered.spec.widths(2, kLayers);
        EXPECT_GT(important.key_bits, other.key_bits);
        EXPECT_LE(layered.spec.widths(6, kLayers).value_bits, other.value_bits);
    }
}

TEST_F(LayerCostsTest, TooSmallABudgetIsRefused) {
    EXPECT_THROW(uniform_least_divergence(*model_, costs_, 2.5), Error);
    EXPECT_THROW(least_divergence(*model_, costs_, single_layers(kLayers), 2.5), Error);
    TuneOptions options;
    options.max_bits = 2.5;
    EXPECT_THROW(tune(model_, options), Error);
}

TEST_F(LayerCostsTest, LimitIsMetWithFewBits) {
    const auto groups = single_layers(kLayers);
    for (const double limit : {1e-2, 1e-3, 1e-4}) {
        const Choice layered = fewest_bits(*model_, costs_, groups, limit);
        const Choice uniform = uniform_fewest_bits(*model_, costs_, limit);
        EXPECT_LE(layered.expected_kld, limit);
        EXPECT_LE(uniform.expected_kld, limit);
        EXPECT_LE(layered.bits_per_element, uniform.bits_per_element);
        EXPECT_EQ(KvSpec::parse(layered.spec.name()), layered.spec);
    }
    // Only an exact cache loses nothing.
    EXPECT_EQ(uniform_fewest_bits(*model_, costs_, 1e-12).spec, (KvSpec{16, 16}));
}

TEST_F(LayerCostsTest, GroupsCoverTheLayers) {
    const auto groups = outer_and_inner_layers(kLayers);
    ASSERT_EQ(groups.size(), 3u);
    EXPECT_EQ(groups[0].first, 0);
    EXPECT_EQ(groups[1].first, groups[0].last + 1);
    EXPECT_EQ(groups[2].first, groups[1].last + 1);
    EXPECT_EQ(groups[2].last, kLayers - 1);
    EXPECT_EQ(outer_and_inner_layers(3).size(), 3u);
}

TEST_F(LayerCostsTest, ProbesMeasureEveryLayer) {
    std::string text;
    for (int i = 0; i < 400; ++i) text += "ab" + std::string(1, static_cast<char>('a' + i % 26));
    ProbeOptions options;
    options.groups = single_layers(kLayers);
    options.context = 256;
    options.floor = false;
    double last = 0;
    const LayerCosts costs = probe_layer_costs(model_, text, options, [&](double fraction) {
        EXPECT_GE(fraction, last);
        last = fraction;
        return true;
    });
    ASSERT_EQ(costs.key.size(), std::size_t{kLayers});
    for (int l = 0; l < kLayers; ++l) {
        EXPECT_GT(costs.key[static_cast<std::size_t>(l)], 0);
        EXPECT_GT(costs.value[static_cast<std::size_t>(l)], 0);
    }
    try {
        probe_layer_costs(model_, text, options, [](double) { return false; });
        FAIL() << "was not stopped";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCancelled);
    }
}

TEST_F(LayerCostsTest, TuningComparesOnTheOtherText) {
    std::string text, other;
    for (int i = 0; i < 400; ++i) text += "ab" + std::string(1, static_cast<char>('a' + i % 26));
    for (int i = 0; i < 400; ++i) other += "b" + std::string(1, static_cast<char>('a' + i * i % 26));
    TuneOptions options;
    options.max_bits = 4.5;
    options.text = text;
    options.check_text = other;
    options.context = 256;
    options.chunks = options.check_chunks = 1;
    const TuneReport report = tune(model_, options);
    EXPECT_LE(report.layered.bits_per_element, 4.5);
    EXPECT_LE(report.uniform.bits_per_element, 4.5);
    EXPECT_GT(report.tokens_checked, 100u);
    EXPECT_EQ(report.best().spec, report.layered_is_better() ? report.layered.spec : report.uniform.spec);
}

}  // namespace
}  // namespace kvsplit::lab
