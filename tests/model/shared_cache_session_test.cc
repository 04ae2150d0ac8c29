// Sessions of models whose layers have different caches, or read those of other layers.
#include "codec/codec.h"
#include "engine/cache_probe.h"
#include "lab/plan.h"
#include "model/tiny_session.h"

namespace kvsplit::test {
namespace {

class SharedCacheSession : public TinySession {
  protected:
    static constexpr const char* kSpecs[] = {"k8v4", "k4v4", "k16v4+0=k8v8", "f16", "f32"};
};

TEST_P(SharedCacheSession, BatchesForksAndCutsGiveTheSameBits) { expect_same_bits_in_parts(kSpecs); }
TEST_P(SharedCacheSession, ThreadsGiveTheSameBits) { expect_same_bits_with_one_thread(kSpecs); }

TEST_P(SharedCacheSession, PlansAreWhatSessionsTake) {
    for (const char* kv : kSpecs) {
        const auto spec = KvSpec::parse(kv);
        const auto session = Session::create(model_, spec), filled = Session::create(model_, spec);
        states(*session, golden_.tokens);
        fill_randomly(*filled, session->length(), 1);
        const std::size_t planned = model_->plan(spec, session->length()).bytes.total();
        EXPECT_EQ(session->stats().bytes.total(), planned) << kv;
        EXPECT_EQ(filled->stats().bytes.total(), planned) << kv;
        const auto plan = lab::make_plan(file_.path(), {.specs = {spec},
                                                        .memory = std::size_t{1} << 30,
                                                        .context = session->length(),
                                                        .model = {.threads = 2},
                                                        .program = 1});
        EXPECT_EQ(plan.results[0].kv.bytes.total(), planned) << kv;
    }
}

INSTANTIATE_TEST_SUITE_P(Models, SharedCacheSession,
                         testing::Values("gemma4_e2b", "gemma4_31b", "gemma4_26b_a4b"),
                         [](const auto& instance) { return std::string(instance.param); });

// Three layers of six keep keys and values: heads of 64 channels with a window of 90 tokens twice, and of
// 128. The others read the last of each kind, two of them the window's.
class SharedCache : public SharedCacheSession {};

TEST_P(SharedCache, BytesAreThoseOfLayersThatKeepThem) {
    const ModelInfo& info = model_->info();
    EXPECT_EQ(info.n_layers, 6);
    EXPECT_EQ(info.n_cache_layers, 3);
    EXPECT_EQ(info.n_window_layers, 4);
    constexpr std::size_t kPage = 64 * 2 * 2;  // bytes of a channel's keys and values
    EXPECT_EQ(model_->plan(KvSpec{16, 16}, 64).bytes.total(), kPage * (64 + 64 + 128));
    EXPECT_DOUBLE_EQ(model_->plan(KvSpec::parse("f16+2=k8v8"), 0).key_bits_per_element,
                     (16 + codec::key_bits_per_element(8, codec::head_shape(128))) / 2);
}

TEST_P(SharedCache, EveryReaderReadsItsCache) {
    const auto session = Session::create(model_, KvSpec{16, 16});
    states(*session, golden_.tokens);
    constexpr std::size_t kToken = 2 * 2, kTokens = 200, kWindow = 90;
    EXPECT_EQ(kv_bytes_read(*session), kToken * (64 * kWindow * (1 + 3) + 128 * kTokens * 2));
}

INSTANTIATE_TEST_SUITE_P(Models, SharedCache, testing::Values("gemma4_e2b"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace kvsplit::test
