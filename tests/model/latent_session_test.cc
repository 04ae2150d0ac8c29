// Sessions of models with latent attention: the latent is kept once, in the width of keys.
#include <cmath>

#include "model/tiny_session.h"

namespace kvsplit::test {
namespace {

class LatentSession : public TinySession {
  protected:
    // Both sides coded, one of them, none.
    static constexpr const char* kSpecs[] = {"k8v8", "k5v4", "k16v4", "k4v16", "f16", "f32"};
};

TEST_P(LatentSession, BatchesForksAndCutsGiveTheSameBits) { expect_same_bits_in_parts(kSpecs); }
TEST_P(LatentSession, ThreadsGiveTheSameBits) { expect_same_bits_with_one_thread(kSpecs); }

TEST_P(LatentSession, AllPairsOfWidthsRun) {
    for (const int key : kv_widths()) {
        for (const int value : kv_widths()) {
            const auto session = Session::create(model_, KvSpec{key, value});
            for (const float x : states(*session, golden_.tokens)) ASSERT_TRUE(std::isfinite(x));
            EXPECT_EQ(session->stats().bytes.total(),
                      model_->plan(KvSpec{key, value}, session->length()).bytes.total());
        }
    }
}

// A token's 32 rotary and 96 latent channels, once.
TEST_P(LatentSession, BytesAreCountedOnce) {
    const ModelInfo& info = model_->info();
    EXPECT_EQ(info.head_dim, 128);
    EXPECT_EQ(info.latent_dim, 96);
    const auto layers = static_cast<std::size_t>(info.n_cache_layers);
    EXPECT_EQ(model_->plan(KvSpec{16, 16}, 256).bytes.total(), layers * 256 * 128 * 2);
    const KvStats stats = model_->plan(KvSpec{8, 4}, 4096);
    const double bits = 0.25 * (4 + 16.0 / 32 + 8.0 / 64 + 16.0 / (64 * 32)) +
                        0.75 * (8 + 16.0 / 48 + 8.0 / 64 + 16.0 / (64 * 96));
    EXPECT_DOUBLE_EQ(stats.bits_per_element(), bits);
    EXPECT_DOUBLE_EQ(double(stats.bytes.key + stats.bytes.value),
                     bits / 8 * 128 * double(layers) * (4096 - 128));
}

INSTANTIATE_TEST_SUITE_P(Models, LatentSession, testing::Values("deepseek2", "deepseek3", "mistral4"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace kvsplit::test
