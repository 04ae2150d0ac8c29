// Every architecture on small random models, against transformers (scripts/oracles/tiny_models.py; the same
// files agree with llama.cpp).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>
#include <span>

#include "engine/states.h"
#include "kvsplit/model.h"
#include "model/description.h"
#include "model/rope_options.h"
#include "model/tiny_models.h"

namespace kvsplit::test {
namespace {

// Logits (tokens, n_vocab), evaluated in pieces of `step`.
std::vector<float> logits_of(const std::shared_ptr<Model>& model, std::span<const Token> tokens,
                             const KvSpec& spec, std::size_t step) {
    const std::vector<float> hidden = states(*Session::create(model, spec), *model, tokens, step);
    std::vector<float> logits(tokens.size() * static_cast<std::size_t>(model->info().n_vocab));
    project_logits(*model, hidden, logits);
    return logits;
}

double logsumexp(std::span<const float> row) {
    double sum = 0;
    for (const float x : row) sum += std::exp(double{x});
    return std::log(sum);
}

// The KL divergence of each row from that of `exact`, in nats.
std::vector<double> divergences(std::span<const float> exact, std::span<const float> other,
                                std::size_t n_vocab) {
    std::vector<double> out;
    for (std::size_t at = 0; at < exact.size(); at += n_vocab) {
        const auto p = exact.subspan(at, n_vocab), q = other.subspan(at, n_vocab);
        const double p_sum = logsumexp(p), q_sum = logsumexp(q);
        double sum = 0;
        for (std::size_t i = 0; i < n_vocab; ++i)
            sum += std::exp(p[i] - p_sum) * ((p[i] - p_sum) - (q[i] - q_sum));
        out.push_back(sum);
    }
    return out;
}

double mean(std::span<const double> values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

class ArchitectureTest : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        golden_ = read_tiny_model(GetParam());
        file_.write(golden_.file().bytes());
        const RopeOptions rope = rope_options(golden_.spec.value("rope", nlohmann::json::object()));
        model_ = Model::load(file_.path(), {.threads = 2, .exact = true, .rope = rope});
    }
    std::vector<float> logits(const KvSpec& spec, std::size_t step) const {
        return logits_of(model_, golden_.tokens, spec, step);
    }
    // The largest difference of logits (tokens, n_vocab) from those of a golden.
    double largest_difference(std::span<const float> ours, std::span<const int> positions,
                              const std::vector<std::vector<float>>& golden) const {
        const auto n_vocab = static_cast<std::size_t>(model_->info().n_vocab);
        double largest = 0;
        for (std::size_t p = 0; p < positions.size(); ++p) {
            const auto row = ours.subspan(static_cast<std::size_t>(positions[p]) * n_vocab, n_vocab);
            for (std::size_t i = 0; i < golden_.ids.size(); ++i) {
                const float x = row[static_cast<std::size_t>(golden_.ids[i])];
                largest = std::max(largest, std::abs(double{x} - golden[p][i]));
            }
        }
        return largest;
    }

    TinyModelGolden golden_;
    TempFile file_;
    std::shared_ptr<Model> model_;
};

TEST_P(ArchitectureTest, AgreesWithTransformers) {
    const std::vector<float> ours = logits({32, 32}, golden_.tokens.size());
    const double largest = largest_difference(ours, golden_.positions, golden_.logits);
    EXPECT_LE(largest, 1e-3);
    RecordProperty("largest", std::to_string(largest));
    if (golden_.stretch == 1) return;
    // The same for a user who asks for a longer context; models that do not rotate do not change.
    const auto n = static_cast<std::size_t>(golden_.stretched_positions.back() + 1);
    const auto stretched = Model::load(
        file_.path(), {.threads = 2,
                       .exact = true,
                       .rope = {.scaling = RopeOptions::Scaling::kLinear, .scale = golden_.stretch}});
    const std::vector<float> longer = logits_of(stretched, std::span(golden_.tokens).first(n), {32, 32}, n);
    EXPECT_LE(largest_difference(longer, golden_.stretched_positions, golden_.stretched_logits), 1e-3);
}

// Random layers pass on all of an error, so it grows with their number.
TEST_P(ArchitectureTest, CodedCachesDivergeLittle) {
    constexpr std::ptrdiff_t kFirstCoded = 128;  // the position from which tokens read codes
    const auto n_vocab = static_cast<std::size_t>(model_->info().n_vocab);
    const std::size_t n = golden_.tokens.size();
    const std::vector<float> exact = logits({32, 32}, n);
    const auto k8v4 = divergences(exact, logits({8, 4}, n), n_vocab);
    const auto k4v4 = divergences(exact, logits({4, 4}, n), n_vocab);
    // Every channel of a latent cache is part of a key: two widths promise no more than the narrower one.
    const int layers = model_->info().n_layers;
    const double few = (model_->info().latent_dim > 0 ? 2e-3 : 1e-3) * layers, more = 2e-3 * layers;
    // A token between two experts changes sides, and random experts have nothing in common: a few such tokens
    // make up the mean. With k8v4 most tokens keep their experts, so the median needs no slack.
    const double slack = golden_.spec.at("metadata").contains("expert_count") ? 8 : 1;
    EXPECT_LE(mean(k8v4), slack * few);
    EXPECT_LE(mean(k4v4), slack * more);
    EXPECT_GT(mean(k4v4), 0);
    const std::vector<double> coded(k8v4.begin() + kFirstCoded, k8v4.end());
    EXPECT_LE(median(coded), few * static_cast<double>(n) / static_cast<double>(coded.size()));
    RecordProperty("k8v4", std::to_string(mean(k8v4)));
    RecordProperty("k4v4", std::to_string(mean(k4v4)));
}

TEST_P(ArchitectureTest, BatchSplitsGiveTheSameBits) {
    for (const KvSpec& spec : {KvSpec{8, 4}, KvSpec{16, 16}}) {
        const std::vector<float> whole = logits(spec, golden_.tokens.size());
        for (const std::size_t step : {1, 7, 100}) {
            const std::vector<float> split = logits(spec, step);
            EXPECT_EQ(std::memcmp(whole.data(), split.data(), whole.size() * sizeof(float)), 0)
                << spec.name() << " in steps of " << step;
        }
    }
}

// Every architecture has a model stretched by its user or by its file.
TEST(Architectures, EachIsTestedWithALongerContext) {
    std::set<std::string> stretched;
    for (const std::string& name : tiny_model_names()) {
        const TinyModelGolden golden = read_tiny_model(name);
        if (golden.stretch != 1 || golden.spec.at("metadata").value("rope.scaling.factor", 1.0) != 1)
            stretched.insert(golden.spec.at("architecture").get<std::string>());
    }
    for (const std::string_view name : known_architectures())
        EXPECT_TRUE(stretched.contains(std::string(name))) << name;
}

INSTANTIATE_TEST_SUITE_P(Models, ArchitectureTest, testing::ValuesIn(tiny_model_names()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace kvsplit::test
