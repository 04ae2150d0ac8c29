// The plan against the memory that a real model takes, as reported by the system. Each test has its own
// process.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "backend/random_weights.h"
#include "base/memory.h"
#include "engine/cache_probe.h"
#include "gguf/gguf_writer.h"
#include "lab/plan.h"
#include "test_models.h"

namespace kvsplit::lab {
namespace {

using test::Bytes;
using test::GgufWriter;
using test::TempFile;

constexpr double kTolerance = 0.03;

void expect_planned_peak(const std::string& path, const char* kv, int context) {
    if (path.empty()) GTEST_SKIP() << "no model: run scripts/models.sh";
    const ModelOptions options{.threads = 2};
    const Plan plan = make_plan(
        path,
        {.specs = {KvSpec::parse(kv)}, .memory = std::size_t{1} << 40, .context = context, .model = options});
    const auto model = Model::load(path, options);
    // Loading holds pieces of the file on the way; they have left memory again.
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

// Random weights in the shape of OLMoE: a quarter as wide and deep, 32 experts, 8 per token.
Bytes mixture_of_experts() {
    constexpr int kLayers = 4, kEmbd = 512, kHeads = 8, kExperts = 32, kFf = 256, kVocab = 4096;
    GgufWriter w;
    w.add("general.architecture", "olmoe");
    const auto number = [&](const char* key, int n) {
        w.add(std::string("olmoe.") + key, static_cast<std::uint32_t>(n));
    };
    number("block_count", kLayers);
    number("embedding_length", kEmbd);
    number("feed_forward_length", kFf);
    number("attention.head_count", kHeads);
    number("context_length", 16384);
    number("expert_count", kExperts);
    number("expert_used_count", 8);
    std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
    while (tokens.size() < kVocab) tokens.push_back("t" + std::to_string(tokens.size()));
    w.add("tokenizer.ggml.model", "llama").add_array("tokenizer.ggml.tokens", tokens);
    w.add_array("tokenizer.ggml.scores", std::vector<float>(kVocab, -1.0f));

    std::mt19937 rng(1);
    const auto matrix = [&](const std::string& name, int cols, int rows, int n_experts = 1) {
        const auto type = gguf::TensorType::kQ4_0;
        const auto data = test::random_weights(type, rows * n_experts, cols, rng);
        std::vector<std::int64_t> shape{cols, rows};
        if (n_experts > 1) shape.push_back(n_experts);
        w.tensor(name + ".weight", type, shape, Bytes(data.begin(), data.end()));
    };
    const auto norm = [&](const std::string& name) {
        w.tensor_f32(name + ".weight", {kEmbd}, std::vector<float>(kEmbd, 1.0f));
    };
    matrix("token_embd", kEmbd, kVocab);
    norm("output_norm");
    for (int i = 0; i < kLayers; ++i) {
        const std::string p = "blk." + std::to_string(i) + ".";
        for (const char* name : {"attn_norm", "ffn_norm", "attn_q_norm", "attn_k_norm"}) norm(p + name);
        for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output"}) matrix(p + name, kEmbd, kEmbd);
        matrix(p + "ffn_gate_inp", kEmbd, kExperts);
        matrix(p + "ffn_gate_exps", kEmbd, kFf, kExperts);
        matrix(p + "ffn_up_exps", kEmbd, kFf, kExperts);
        matrix(p + "ffn_down_exps", kFf, kEmbd, kExperts);
    }
    return w.bytes();
}

TEST(PlanMemory, MixtureOfExperts) {
    const TempFile file(mixture_of_experts());
    expect_planned_peak(file.path(), "k8v4", 8192);
}

TEST(PlanMemory, SmolLM2) { expect_planned_peak(smollm2_path(), "k8v4", 8192); }
TEST(PlanMemory, SmolLM2F16) { expect_planned_peak(smollm2_path(), "f16", 8192); }
TEST(PlanMemory, Gemma3) { expect_planned_peak(gemma3_path(), "k8v4", 32768); }
TEST(PlanMemory, Gemma3F16) { expect_planned_peak(gemma3_path(), "f16", 8192); }

}  // namespace
}  // namespace kvsplit::lab
