// Sessions on a real model, at any precision: results depend only on the tokens.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <span>

#include "engine/model_impl.h"
#include "engine/states.h"
#include "kvsplit/error.h"
#include "test_models.h"

namespace kvsplit {
namespace {

using test::same_bits;
using test::states;

const KvSpec kSpecs[] = {{16, 16}, {8, 4}, {4, 8}, {16, 4}};

// The first n tokens of the bundled text.
std::vector<Token> text_tokens(const Model& model, std::size_t n) {
    std::ifstream in(KVSPLIT_DEMO_TEXT);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    auto tokens = model.tokenize(text, true, false);
    EXPECT_GE(tokens.size(), n);
    tokens.resize(n);
    return tokens;
}

class SessionTest : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override {
        path_ = smollm2_path();
        if (path_.empty()) GTEST_SKIP() << "SmolLM2 is not here: scripts/models.sh smollm2";
    }
    // Exact activations take several times as long: only the first two.
    static std::span<const KvSpec> specs() { return std::span(kSpecs).first(GetParam() ? 2 : 4); }
    std::shared_ptr<Model> load(int threads) {
        return Model::load(path_, {.threads = threads, .exact = GetParam()});
    }
    std::string path_;
};

TEST_P(SessionTest, BatchSplitsGiveTheSameBits) {
    const auto model = load(2);
    // More tokens than fit into one forward pass, with codes in more than one chunk of attention.
    const auto tokens = text_tokens(*model, 700);
    for (const KvSpec& spec : specs()) {
        const auto whole = states(*Session::create(model, spec), *model, tokens, 700);
        for (std::size_t step : {7, 64, 300}) {
            EXPECT_TRUE(same_bits(whole, states(*Session::create(model, spec), *model, tokens, step)))
                << spec.name() << " in steps of " << step;
        }
        // Token by token is slow; with four pages some are sealed and read as codes.
        const auto some = states(*Session::create(model, spec), *model, std::span(tokens).first(256), 1);
        EXPECT_EQ(std::memcmp(some.data(), whole.data(), some.size() * sizeof(float)), 0) << spec.name();
    }
}

TEST_P(SessionTest, ThreadCountsGiveTheSameBits) {
    const auto one = load(1), three = load(3);
    const auto tokens = text_tokens(*one, 700);
    for (const KvSpec& spec : {KvSpec{16, 16}, KvSpec{8, 4}}) {
        const auto a = states(*Session::create(one, spec), *one, tokens, 350);
        EXPECT_TRUE(same_bits(a, states(*Session::create(three, spec), *three, tokens, 350))) << spec.name();
        const auto b = states(*Session::create(three, spec), *three, std::span(tokens).first(300), 7);
        EXPECT_EQ(std::memcmp(a.data(), b.data(), b.size() * sizeof(float)), 0) << spec.name();
    }
}

TEST_P(SessionTest, TrimAndReplayGivesAFreshRun) {
    const auto model = load(2);
    const auto tokens = text_tokens(*model, 400);
    const auto width = static_cast<std::size_t>(model->info().n_embd);
    for (const KvSpec& spec : specs()) {
        const auto fresh = states(*Session::create(model, spec), *model, tokens, 400);
        const auto session = Session::create(model, spec);
        for (int keep : {390, 328, 250, 100, 3, 0}) {
            session->eval(std::span(tokens).subspan(static_cast<std::size_t>(session->length())));
            const int from = session->trim(keep);
            ASSERT_LE(from, keep);
            ASSERT_EQ(from, session->length());
            const auto rest = std::span(tokens).subspan(static_cast<std::size_t>(from));
            const auto again = states(*session, *model, rest, 64);
            EXPECT_EQ(std::memcmp(again.data(), fresh.data() + static_cast<std::size_t>(from) * width,
                                  again.size() * sizeof(float)),
                      0)
                << spec.name() << " cut at " << keep;
        }
    }
}

TEST_P(SessionTest, ForksDivergeWithoutTouchingEachOther) {
    const auto model = load(2);
    const auto tokens = text_tokens(*model, 350);
    std::vector<Token> other(tokens.begin(), tokens.begin() + 210);
    other.insert(other.end(), tokens.begin() + 20, tokens.begin() + 160);
    for (const KvSpec& spec : specs()) {
        const auto session = Session::create(model, spec);
        session->eval(std::span(tokens).first(210));
        const auto fork = session->fork();
        session->eval(std::span(tokens).subspan(210));
        fork->eval(std::span(other).subspan(210));
        const auto expect = [&](Session& s, std::span<const Token> all) {
            const auto fresh = Session::create(model, spec);
            fresh->eval(all);
            EXPECT_EQ(std::memcmp(fresh->logits().data(), s.logits().data(), s.logits().size_bytes()), 0)
                << spec.name();
        };
        expect(*session, tokens);
        expect(*fork, other);
    }
}

TEST_P(SessionTest, BytesReportedAreBytesAllocated) {
    const auto model = load(2);
    const auto& impl = static_cast<const ModelImpl&>(*model);
    const auto tokens = text_tokens(*model, 900);
    for (const KvSpec& spec : specs()) {
        const std::size_t before = impl.page_memory().bytes_in_use();
        const auto session = Session::create(model, spec);
        session->eval(tokens);
        const std::size_t pages = impl.page_memory().bytes_in_use() - before;
        const std::size_t smoothing = spec.key_bits == 16 ? 0 : 4u * 64 * 3 * 30;
        EXPECT_EQ(session->stats().bytes.total(), pages + smoothing) << spec.name();
        EXPECT_EQ(model->plan(spec, 900).bytes.total(), pages + smoothing) << spec.name();
    }
}

TEST_P(SessionTest, RefusesWhatDoesNotFit) {
    const auto model = load(1);
    const auto session = Session::create(model, KvSpec{8, 4}, 10);
    const std::vector<Token> eleven(11, 1);
    EXPECT_THROW(session->eval(eleven), Error);
    EXPECT_EQ(session->length(), 0);
    EXPECT_THROW(session->eval(std::vector<Token>{model->info().n_vocab}), Error);
    EXPECT_THROW(session->eval(std::vector<Token>{-1}), Error);
    EXPECT_EQ(session->eval(std::span(eleven).first(10)), 10);
}

INSTANTIATE_TEST_SUITE_P(Modes, SessionTest, testing::Bool(),
                         [](const auto& param_info) { return param_info.param ? "Exact" : "Int8"; });

}  // namespace
}  // namespace kvsplit
