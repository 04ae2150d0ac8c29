// Sessions on tiny random models, small enough for the sanitizers. tests/model has those on real models.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "engine/states.h"
#include "engine/tiny_model.h"
#include "gguf/cut.h"
#include "kvsplit/error.h"

namespace kvsplit {
namespace {

using test::same_bits;
using test::states;

std::vector<Token> random_tokens(const Model& model, int n) {
    std::mt19937 rng(7);
    std::vector<Token> tokens(static_cast<std::size_t>(n));
    for (Token& t : tokens) t = static_cast<Token>(rng() % static_cast<unsigned>(model.info().n_vocab));
    return tokens;
}

class TinySessionThreads : public testing::TestWithParam<const char*> {
  protected:
    TinySessionThreads()
        : file_(test::TinyModel{.architecture = GetParam(),
                                .layers = GetParam() == std::string("gemma3") ? 6 : 2}
                    .write()
                    .bytes()) {}
    std::shared_ptr<Model> load(int threads, bool exact = false) {
        return Model::load(file_.path(), {.threads = threads, .exact = exact});
    }
    test::TempFile file_;
};

// Steps that end at, before and after page borders; windows that move; every width on both sides.
TEST_P(TinySessionThreads, BatchSplitsAndThreadsGiveTheSameBits) {
    const auto one = load(1), three = load(3);
    const auto tokens = random_tokens(*one, 700);
    for (const char* text : {"f16", "k8v4", "k4v8", "k6v2", "k5v6", "k3v5", "k2v3", "k16v4", "k4v16",
                             "k5v4+tail=0+sinks=0", "k4v4+tail=192+sinks=16", "k3v3+0=f16+-1=k8v8",
                             "k4v4+rotation=off+mean=off+smoothing=off+search=off"}) {
        const KvSpec spec = KvSpec::parse(text);
        const auto whole = states(*Session::create(one, spec), *one, tokens, 700);
        for (const float x : whole) ASSERT_TRUE(std::isfinite(x)) << text;
        for (std::size_t step : {1, 63, 64, 129}) {
            if (step == 1 && spec != KvSpec{8, 4}) continue;  // slow with more threads than cores
            EXPECT_TRUE(same_bits(whole, states(*Session::create(three, spec), *three, tokens, step)))
                << text << " in steps of " << step;
        }
    }
}

TEST_P(TinySessionThreads, PrecisionsDifferAndExactModeDiffersToo) {
    const auto model = load(2), exact = load(2, true);
    const auto tokens = random_tokens(*model, 400);
    const auto f16 = states(*Session::create(model, {16, 16}), *model, tokens, 400);
    EXPECT_FALSE(same_bits(f16, states(*Session::create(model, {8, 4}), *model, tokens, 400)));
    EXPECT_FALSE(same_bits(f16, states(*Session::create(exact, {16, 16}), *exact, tokens, 400)));
}

// Activations of 16 bits, the default, and of 8 keep the same promises, and 16 come close to exact
// arithmetic.
TEST_P(TinySessionThreads, BitsOfActivations) {
    const auto exact = load(2, true), two = load(2);
    const auto tokens = random_tokens(*two, 300);
    const KvSpec f16 = KvSpec::parse("f16");
    std::vector<float> by_bits[2];
    for (const int bits : {8, 16}) {
        const auto one = Model::load(file_.path(), {.threads = 1, .activation_bits = bits});
        const auto three = Model::load(file_.path(), {.threads = 3, .activation_bits = bits});
        const auto whole = states(*Session::create(one, f16), *one, tokens, 300);
        EXPECT_TRUE(same_bits(whole, states(*Session::create(one, f16), *one, tokens, 1)));
        EXPECT_TRUE(same_bits(whole, states(*Session::create(three, f16), *three, tokens, 64)));
        by_bits[bits == 16] = whole;
    }
    const auto& [eight, sixteen] = by_bits;
    EXPECT_TRUE(same_bits(sixteen, states(*Session::create(two, f16), *two, tokens, 300)));
    const auto reference = states(*Session::create(exact, f16), *exact, tokens, 300);
    const auto distance = [&](const std::vector<float>& x) {
        double sum = 0;
        for (std::size_t i = 0; i < x.size(); ++i) sum += std::pow(double(x[i]) - double(reference[i]), 2);
        return std::sqrt(sum);
    };
    EXPECT_LT(30 * distance(sixteen), distance(eight));
    EXPECT_THROW(Model::load(file_.path(), {.activation_bits = 12}), Error);
}

TEST_P(TinySessionThreads, TrimForkAndBytes) {
    const auto model = load(2);
    const auto tokens = random_tokens(*model, 600);
    const auto width = static_cast<std::size_t>(model->info().n_embd);
    for (const char* text : {"f16", "k8v4", "k4v16", "f32", "k5v4+tail=0", "k3v6+tail=128+sinks=0+0=f16"}) {
        const KvSpec spec = KvSpec::parse(text);
        const auto fresh = states(*Session::create(model, spec), *model, tokens, 600);
        const auto session = Session::create(model, spec);
        for (int keep : {590, 530, 512, 450, 100, 3, 0}) {
            session->eval(std::span(tokens).subspan(static_cast<std::size_t>(session->length())));
            EXPECT_EQ(session->stats().bytes.total(), model->plan(spec, 600).bytes.total()) << spec.name();
            const auto from = static_cast<std::size_t>(session->trim(keep));
            ASSERT_LE(from, static_cast<std::size_t>(keep));
            const auto fork = session->fork();
            const auto again = states(*fork, *model, std::span(tokens).subspan(from), 50);
            EXPECT_TRUE(same_bits(again, std::span(fresh).subspan(from * width)))
                << spec.name() << " cut at " << keep;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Architectures, TinySessionThreads, testing::Values("llama", "gemma3"),
                         [](const auto& param_info) { return std::string(param_info.param); });

TEST(TinyModel, AsManyEmbeddingsAsTokens) {
    for (const int extra : {-1, 1}) {
        const test::TempFile file(test::TinyModel{.extra_rows = extra}.write().bytes());
        try {
            Model::load(file.path());
            ADD_FAILURE() << "loaded with " << extra << " rows more";
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), ErrorCode::kFormat);
            const std::string message = e.what();
            for (const char* part : {"token_embd.weight", "tokenizer.ggml.tokens", "262"}) {
                EXPECT_NE(message.find(part), std::string::npos) << message;
            }
        }
    }
}

// Cut into files or whole, in pieces or at once: the same logits.
TEST(TinyModel, WaysToReadAFileGiveTheSameBits) {
    const test::TempFile file(test::TinyModel{}.write().bytes());
    const auto logits = [](const std::string& path, bool mmap) {
        const auto model = Model::load(path, {.threads = 1, .mmap = mmap});
        const auto session = Session::create(model, KvSpec{8, 4});
        session->eval(random_tokens(*model, 50));
        return std::vector<float>(session->logits().begin(), session->logits().end());
    };
    const auto expected = logits(file.path(), true);
    EXPECT_EQ(logits(file.path(), false), expected);
    const std::string prefix = file.path() + "_cut";
    const std::string first = test::cut(gguf::File(file.path()), prefix, 3);
    for (const bool mmap : {true, false}) EXPECT_EQ(logits(first, mmap), expected);
    for (int part = 1; part <= 3; ++part) std::filesystem::remove(SplitName{prefix, 1, 3}.part(part));
}

}  // namespace
}  // namespace kvsplit
