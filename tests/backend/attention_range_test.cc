// Keys and values beyond what 16 bits hold: told by an error, or kept in another scale that nobody sees.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "kvsplit/error.h"

namespace kvsplit {
namespace {

constexpr int kTokens = 200, kHeads = 4, kKvHeads = 2;

// A layer's attention over random queries, keys and values.
struct Layer {
    explicit Layer(const codec::KvHead& of) : head(of) {
        width = kHeads * head.query_dim() + kKvHeads * head.token_dim();
        std::mt19937 rng(1);
        std::normal_distribution<float> normal;
        for (int i = 0; i < kTokens * width; ++i) qkv.push_back(normal(rng));
    }
    // The first channel of a KV head's key, or value, of a token.
    float* key(int token, int kv_head) {
        return qkv.data() + token * width + kHeads * head.query_dim() + kv_head * head.key.head_dim;
    }
    float* value(int token, int kv_head) {
        return qkv.data() + token * width + kHeads * head.query_dim() + kKvHeads * head.key.head_dim +
               kv_head * head.value.head_dim;
    }
    KvCache make_cache(const char* kv) const {
        return {CacheGeometry::uniform(kKvHeads, head, {0}), KvSpec::parse(kv), backend->page_memory()};
    }
    std::vector<float> attend(KvCache& cache, const float* key_scales = nullptr,
                              const float* value_scales = nullptr) const {
        const AttentionParams params{.layer = 0,
                                     .n_heads = kHeads,
                                     .n_kv_heads = kKvHeads,
                                     .head = head,
                                     .scale = 0.125f,
                                     .q_norm = nullptr,
                                     .k_norm = nullptr,
                                     .norm_eps = 1e-5f,
                                     .rope = RopeKind::kPairs,
                                     .n_rope_pairs = 0,
                                     .cos = nullptr,
                                     .sin = nullptr,
                                     .window = 0,
                                     .key_scales = key_scales,
                                     .value_scales = value_scales};
        std::vector<float> out(std::size_t{kTokens * kHeads} * static_cast<std::size_t>(head.value.head_dim));
        const SequenceRun run{&cache, 0, kTokens};
        backend->attention(params, {&run, 1}, qkv.data(), kTokens, out.data());
        cache.advance(kTokens);
        return out;
    }

    std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 2});
    codec::KvHead head;
    int width;
    std::vector<float> qkv;
};

std::string message_of(const Layer& layer, KvCache& cache) {
    try {
        layer.attend(cache);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
        return error.what();
    }
    return "";
}

TEST(AttentionRange, OverflowIsAnError) {
    for (const char* kv : {"f16", "k5v4"}) {
        Layer layer(codec::head_shape(60));
        KvCache cache = layer.make_cache(kv);
        layer.key(150, 1)[59] = -65536.0f;
        EXPECT_NE(message_of(layer, cache).find("layer 0: a key of magnitude 6.55e+04 overflows the cache"),
                  std::string::npos);
        cache.trim(0);
        layer.key(150, 1)[59] = 1;
        layer.value(3, 0)[7] = 1e6f;
        EXPECT_NE(message_of(layer, cache).find("a value of magnitude 1e+06 overflows the cache"),
                  std::string::npos);
        cache.trim(0);
        layer.value(3, 0)[7] = 65519.0f;  // rounds to 65504
        EXPECT_EQ(message_of(layer, cache), "");
    }
    Layer layer(codec::head_shape(64));
    layer.key(0, 0)[0] = layer.value(0, 0)[0] = 1e6f;
    KvCache reference = layer.make_cache("f32");
    EXPECT_EQ(message_of(layer, reference), "");
}

// The logits tell of numbers that are broken before they come to the cache.
TEST(AttentionRange, WhatIsBrokenBeforePasses) {
    Layer layer(codec::head_shape(64));
    layer.key(1, 0)[0] = std::numeric_limits<float>::infinity();
    layer.value(1, 0)[0] = std::numeric_limits<float>::quiet_NaN();
    KvCache cache = layer.make_cache("k5v4");
    EXPECT_EQ(message_of(layer, cache), "");
}

TEST(AttentionRange, ScalesShowNowhere) {
    for (const codec::KvHead& head :
         {codec::KvHead(codec::head_shape(64)), codec::KvHead(codec::head_shape(20)),
          codec::KvHead::of_latent(16, 48)}) {
        const Layer plain(head);
        for (const int exponent : {40, -40}) {
            // Keys and values of the second KV head are 2^exponent times as large, its queries as much
            // smaller.
            Layer other(head);
            const float large = std::ldexp(1.0f, exponent), small = 1 / large;
            for (int t = 0; t < kTokens; ++t) {
                for (int c = 0; c < head.key.head_dim; ++c) other.key(t, 1)[c] *= large;
                for (int c = 0; c < head.value.head_dim; ++c) other.value(t, 1)[c] *= large;
                float* q = other.qkv.data() + t * other.width + kHeads / 2 * head.query_dim();
                for (int c = 0; c < kHeads / 2 * head.query_dim(); ++c) q[c] *= small;
            }
            const float scales[] = {1.0f, small};
            for (const char* kv : {"f32", "f16", "k8v4", "k5v4", "k2v2"}) {
                KvCache cache = plain.make_cache(kv), scaled = other.make_cache(kv);
                std::vector<float> expected = plain.attend(cache);
                const std::vector<float> out = other.attend(scaled, scales, scales);
                for (std::size_t i = 0; i < expected.size(); ++i) {
                    const std::size_t h = i / static_cast<std::size_t>(head.value.head_dim) % kHeads;
                    ASSERT_EQ(out[i], h < kHeads / 2 ? expected[i] : expected[i] * large) << kv << ' ' << i;
                }
            }
        }
    }
}

}  // namespace
}  // namespace kvsplit
