#include "model/random_fill.h"

#include <algorithm>
#include <random>
#include <span>

namespace kvsplit {
namespace {

constexpr int kBatch = 512;  // tokens at a time

}  // namespace

void fill_randomly(Backend& backend, const ModelDescription& d, KvCache& cache, int n_tokens, unsigned seed) {
    const auto rows = static_cast<std::size_t>(std::min(n_tokens, kBatch));
    const auto rows_of = [&](int width) { return backend.allocate(rows * static_cast<std::size_t>(width)); };
    const auto qkv = rows_of(d.widest(&ModelDescription::qkv_width));
    const auto out = rows_of(d.widest(&ModelDescription::attended_width));
    std::minstd_rand random(seed);
    for (int done = 0; done < n_tokens;) {
        const int n = std::min(kBatch, n_tokens - done);
        // The sum of three uniform numbers in [-1, 1): near enough to normal, with a variance of 1.
        for (float& x : std::span(qkv->data(), qkv->size())) {
            constexpr float kScale = 2.0f / static_cast<float>(std::minstd_rand::modulus);
            x = -3.0f;
            for (int i = 0; i < 3; ++i) x += kScale * static_cast<float>(random());
        }
        const SequenceRun run{&cache, 0, n};
        for (int layer = 0; layer < d.n_layers; ++layer) {
            if (!d.keeps_kv(layer)) continue;
            const LayerHeads& heads = d.heads_of(layer);
            const AttentionParams params{.layer = d.cache_layer(layer),
                                         .n_heads = heads.n,
                                         .n_kv_heads = heads.n_kv,
                                         .head = d.kv_head(layer),
                                         .scale = d.attention_scale,
                                         .q_norm = nullptr,
                                         .k_norm = nullptr,
                                         .norm_eps = d.norm_eps,
                                         .rope = d.rope_kind,
                                         .n_rope_pairs = 0,
                                         .cos = nullptr,
                                         .sin = nullptr,
                                         .window = 1};
            backend.attention(params, {&run, 1}, qkv->data(), n, out->data());
        }
        cache.advance(n);
        done += n;
    }
}

}  // namespace kvsplit
