// Sessions of models with layers that keep a state of fixed size: fork, trim, threads, bytes.
#include "model/tiny_session.h"

namespace kvsplit::test {
namespace {

class HybridSession : public TinySession {
  protected:
    KvSpec spec_{8, 4};
};

TEST_P(HybridSession, ForksGoTheirOwnWays) {
    const auto fresh = Session::create(model_, spec_), other = Session::create(model_, spec_);
    states(*fresh, tokens(0, 150));
    states(*other, tokens(0, 150));
    const auto whole = states(*fresh, tokens(150, 50)), different = states(*other, tokens(20, 50));

    const auto session = Session::create(model_, spec_);
    states(*session, tokens(0, 150));
    const auto fork = session->fork();
    EXPECT_TRUE(same_bits(states(*session, tokens(150, 50)), whole));
    EXPECT_TRUE(same_bits(states(*fork, tokens(20, 50)), different));
}

TEST_P(HybridSession, TrimKeepsAllOrNothing) {
    const auto session = Session::create(model_, spec_);
    const auto whole = states(*session, tokens(0, 80));
    EXPECT_EQ(session->trim(80), 80);
    const auto more = states(*session, tokens(80, 20));
    EXPECT_EQ(session->trim(99), 0);
    EXPECT_EQ(session->length(), 0);
    EXPECT_TRUE(same_bits(states(*session, tokens(0, 80)), whole));
    EXPECT_TRUE(same_bits(states(*session, tokens(80, 20)), more));
}

TEST_P(HybridSession, ThreadsGiveTheSameBits) {
    const auto session = Session::create(model_, spec_);
    const auto two = states(*session, golden_.tokens);
    for (const int threads : {1, 3}) {
        const auto model = Model::load(file_.path(), {.threads = threads});
        EXPECT_TRUE(same_bits(states(*Session::create(model, spec_), golden_.tokens), two)) << threads;
    }
}

// Only layers with attention have keys and values; the others have a state that does not grow.
TEST_P(HybridSession, BytesArePlanned) {
    const auto session = Session::create(model_, spec_);
    std::size_t recurrent = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        states(*session, tokens(i * 50, 50));
        const KvStats stats = session->stats(), plan = model_->plan(spec_, session->length());
        EXPECT_EQ(stats.bytes.total(), plan.bytes.total());
        EXPECT_EQ(stats.recurrent, plan.recurrent);
        EXPECT_GT(stats.recurrent, 0u);
        if (i > 0) {
            EXPECT_EQ(stats.recurrent, recurrent);
        }
        recurrent = stats.recurrent;
    }
    const ModelInfo& info = model_->info();
    const std::size_t token = 4u * static_cast<std::size_t>(info.n_kv_heads * info.head_dim);
    EXPECT_EQ(session->stats().f16_total - recurrent,
              token * 256 * static_cast<std::size_t>(info.n_cache_layers));  // whole pages
}

INSTANTIATE_TEST_SUITE_P(Models, HybridSession,
                         testing::Values("lfm2", "falcon_h1", "granitehybrid_experts", "jamba", "qwen3next"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace kvsplit::test
