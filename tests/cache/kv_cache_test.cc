#include "cache/kv_cache.h"

#include <gtest/gtest.h>

#include "kvsplit/error.h"

namespace kvsplit {
namespace {

constexpr int P = codec::kPageTokens;

CacheGeometry geometry(int head_dim, const std::vector<int>& windows) {
    return CacheGeometry::uniform(3, codec::head_shape(head_dim), windows);
}

CacheGeometry latent_geometry(const std::vector<int>& windows) {
    return CacheGeometry::uniform(1, codec::KvHead::of_latent(64, 512), windows);
}

// Appends n tokens as a step does, without any arithmetic.
void append(KvCache& cache, int n) {
    for (int i = 0; i < cache.geometry().n_layers(); ++i) {
        cache.grow_open(i, n);
        LayerCache& layer = cache.layer(i);
        const int seals = cache.pages_to_seal(i, n);
        for (int s = 0; s < seals; ++s)
            layer.sealed.push_back(cache.allocate_sealed(i, layer.first_open + s));
        if (seals > 0) layer.smoothing_frozen = true;
        cache.retire(i, n);
    }
    cache.advance(n);
}

std::size_t smoothing_bytes(const KvCache& cache) {
    std::size_t n = 0;
    for (int i = 0; i < cache.geometry().n_layers(); ++i)
        n += cache.layer(i).smoothing.size() * sizeof(float);
    return n;
}

// Reported sizes equal the allocated ones, and those planned without allocating.
TEST(KvCache, BytesReportedAreBytesAllocatedAndPlanned) {
    for (const char* text : {"f16", "k8v8", "k8v4", "k5v3", "k6v2", "k16v4", "k4v4+tail=0+sinks=0",
                             "k4v4+tail=128+sinks=16", "k3v3+0=k8v8+-1=f16", "f16+1=k8v4"}) {
        const KvSpec spec = KvSpec::parse(text);
        for (int step : {1, 7, 64, 300, 1000}) {
            PageMemory memory;
            const bool latent = step % 2 == 0;
            const int head_dim = step == 7 ? 100 : 64;
            KvCache cache(latent ? latent_geometry({0, 100, 512}) : geometry(head_dim, {0, 100, 512}), spec,
                          memory);
            while (cache.length() < 3000) {
                append(cache, step);
                const KvStats stats = cache.stats();
                ASSERT_EQ(stats.bytes.total(), memory.bytes_in_use() + smoothing_bytes(cache)) << spec.name();
                const KvStats plan = plan_cache(cache.geometry(), spec, cache.length());
                ASSERT_EQ(plan.bytes.key, stats.bytes.key) << spec.name() << " at " << cache.length();
                ASSERT_EQ(plan.bytes.value, stats.bytes.value);
                ASSERT_EQ(plan.bytes.exact, stats.bytes.exact);
                ASSERT_EQ(plan.f16_total, stats.f16_total);
            }
        }
    }
}

// Layers with different heads: each has the pages of a model with such heads in all layers.
TEST(KvCache, LayersMayDiffer) {
    CacheGeometry mixed;
    mixed.layers = {
        {1, codec::head_shape(128), 0}, {2, codec::head_shape(64), 100, 3}, {4, codec::head_shape(64), 0}};
    for (const char* text : {"f16", "k8v4", "k4v4+-1=k8v8"}) {
        const KvSpec spec = KvSpec::parse(text);
        PageMemory memory;
        KvCache cache(mixed, spec, memory);
        append(cache, 1000);
        const KvStats stats = cache.stats(), plan = plan_cache(mixed, spec, 1000);
        EXPECT_EQ(stats.bytes.total(), memory.bytes_in_use() + smoothing_bytes(cache)) << text;
        EXPECT_EQ(plan.bytes.total(), stats.bytes.total()) << text;
        EXPECT_EQ(plan.f16_total, stats.f16_total) << text;
        const auto layers = plan_layers(mixed, spec, 1000);
        for (int i = 0; i < mixed.n_layers(); ++i) {
            const CacheLayer& layer = mixed.layer(i);
            const auto alone = CacheGeometry::uniform(layer.n_kv_heads, layer.head, {layer.window});
            const KvWidths widths = spec.widths(i, mixed.n_layers());
            const KvStats one = plan_cache(alone, KvSpec{widths.key_bits, widths.value_bits}, 1000);
            EXPECT_EQ(layers[static_cast<std::size_t>(i)].total(), one.bytes.total())
                << text << ", layer " << i;
        }
    }
    // Rates count elements: half of them are the last layer's.
    const double wide = plan_cache(mixed, KvSpec{8, 8}, 0).bits_per_element();
    EXPECT_NEAR(plan_cache(mixed, KvSpec::parse("f16+2=k8v8"), 0).bits_per_element(), (16 + wide) / 2, 0.1);
}

TEST(KvCache, PagesReturnWithTheCache) {
    PageMemory memory;
    {
        KvCache cache(geometry(64, {0, 0}), KvSpec{8, 4}, memory);
        append(cache, 1000);
        EXPECT_GT(memory.bytes_in_use(), 0u);
        cache.trim(0);
        EXPECT_EQ(memory.bytes_in_use(), 0u);
        append(cache, 10);
    }
    EXPECT_EQ(memory.bytes_in_use(), 0u);
}

TEST(KvCache, KeepsOnlyTheWindow) {
    KvCache cache(geometry(64, {0, 512}), KvSpec{8, 4}, PageMemory());
    append(cache, 5000);
    const LayerCache& all = cache.layer(0);
    const LayerCache& window = cache.layer(1);
    EXPECT_EQ(all.first_sealed, 0);
    EXPECT_EQ(all.end_open(), 5000 / P + 1);
    const auto kept = window.sealed.size() + window.open.size();
    EXPECT_LE(kept, 512u / P + 4);
    EXPECT_LE(window.first_sealed * P, 5000 - 512);
}

TEST(KvCache, TrimKeepsWhatIsStillExact) {
    KvCache cache(geometry(64, {0}), KvSpec{8, 4}, PageMemory());
    append(cache, 1000);  // pages 0..13 sealed, 14 and 15 open
    EXPECT_EQ(cache.trim(990), 990);
    EXPECT_EQ(cache.trim(960), 960);  // position 960 opens page 15 and reads page 14
    EXPECT_EQ(cache.trim(959), 0);    // page 13 would have to be exact again
    EXPECT_EQ(cache.length(), 0);

    KvCache f16(geometry(64, {0}), KvSpec{16, 16}, PageMemory());
    append(f16, 1000);
    EXPECT_EQ(f16.trim(3), 3);
    EXPECT_EQ(f16.layer(0).open.size(), 1u);
}

TEST(KvCache, ForkSharesSealedPagesAndCopiesOpenOnes) {
    PageMemory memory;
    KvCache cache(geometry(64, {0, 512}), KvSpec{8, 4}, memory);
    append(cache, 1000);
    const std::size_t before = memory.bytes_in_use();
    KvCache fork = cache.fork();
    const std::size_t open =
        cache.layouts(0).open.bytes * (cache.layer(0).open.size() + cache.layer(1).open.size());
    EXPECT_EQ(memory.bytes_in_use(), before + open);
    EXPECT_EQ(fork.layer(0).sealed[0].get(), cache.layer(0).sealed[0].get());
    EXPECT_NE(fork.layer(0).open[0].get(), cache.layer(0).open[0].get());
    append(fork, 500);
    EXPECT_EQ(cache.length(), 1000);
}

// A state of 100 and 1000 floats in each of two layers, which the tokens do not change.
TEST(KvCache, RecurrentStates) {
    PageMemory memory;
    CacheGeometry hybrid = geometry(64, {0});
    hybrid.recurrent = {2, 100, 1000};
    KvCache cache(hybrid, KvSpec{8, 4}, memory);
    EXPECT_EQ(cache.stats().recurrent, 0u);
    const auto touch = [](KvCache& c, float x) {
        for (int layer = 0; layer < 2; ++layer)
            c.recurrent().tail(layer)[99] = c.recurrent().state(layer)[999] += x;
    };
    append(cache, 300);
    touch(cache, 1);
    const KvStats stats = cache.stats(), plan = plan_cache(hybrid, KvSpec{8, 4}, 300);
    EXPECT_EQ(stats.recurrent, 2u * (448 + 4032));  // floats in whole blocks of 64 bytes
    EXPECT_EQ(stats.bytes.total(), memory.bytes_in_use() + smoothing_bytes(cache));
    EXPECT_EQ(plan.bytes.total(), stats.bytes.total());
    EXPECT_EQ(plan.recurrent, stats.recurrent);
    EXPECT_EQ(plan.f16_total, stats.f16_total);

    KvCache fork = cache.fork();
    touch(fork, 1);
    EXPECT_EQ(cache.recurrent().state(0)[999], 1.0f);
    EXPECT_EQ(fork.recurrent().tail(1)[99], 2.0f);

    EXPECT_EQ(cache.trim(300), 300);
    EXPECT_EQ(cache.recurrent().state(0)[999], 1.0f);
    EXPECT_EQ(cache.trim(299), 0);
    EXPECT_EQ(cache.recurrent().state(0)[999], 0.0f);
}

}  // namespace
}  // namespace kvsplit
