#include "model/forward.h"

#include <cmath>

#include "base/check.h"

namespace kvsplit {
namespace {

// cos and sin (rows, pairs) of the batch's positions.
void fill_rope(const Rope& rope, std::span<const SequenceRun> runs, float* cos, float* sin) {
    const std::size_t pairs = rope.frequencies.size();
    for (const SequenceRun& run : runs) {
        const std::vector<double>& frequencies = rope.in_context(run.context);
        for (int i = 0; i < run.n_tokens; ++i) {
            const double position = run.cache->length() + i;
            const std::size_t at = static_cast<std::size_t>(run.first_row + i) * pairs;
            for (std::size_t p = 0; p < pairs; ++p) {
                const double angle = position * frequencies[p];
                cos[at + p] = static_cast<float>(rope.magnitude * std::cos(angle));
                sin[at + p] = static_cast<float>(rope.magnitude * std::sin(angle));
            }
        }
    }
}

bool has_windows(const ModelDescription& d) {
    for (int window : d.windows) {
        if (window > 0) return true;
    }
    return false;
}

}  // namespace

Workspace::Workspace(Backend& backend, const ModelDescription& d, int max_tokens) : max_tokens_(max_tokens) {
    const auto rows = [&](int width) {
        return backend.allocate(static_cast<std::size_t>(max_tokens) * static_cast<std::size_t>(width));
    };
    x = rows(d.n_embd);
    h = rows(d.n_embd);
    qkv = rows(d.qkv_width());
    attention = rows(d.n_heads * d.head_dim);
    gate_up = rows(2 * d.n_ff);
    gated = rows(d.n_ff);
    cos = rows(d.n_rope_pairs);
    sin = rows(d.n_rope_pairs);
    if (has_windows(d)) {
        window_cos = rows(d.n_rope_pairs);
        window_sin = rows(d.n_rope_pairs);
    }
}

void forward(Backend& backend, const ModelDescription& d, const Weights& weights, Workspace& ws,
             std::span<const Token> tokens, std::span<const SequenceRun> runs, float* hidden) {
    const int n = static_cast<int>(tokens.size());
    KVSPLIT_CHECK(n > 0 && n <= ws.max_tokens());
    fill_rope(d.rope, runs, ws.cos->data(), ws.sin->data());
    if (ws.window_cos) fill_rope(d.window_rope, runs, ws.window_cos->data(), ws.window_sin->data());

    float* x = ws.x->data();  // (n, n_embd) the residual stream
    float* h = ws.h->data();  // (n, n_embd)
    backend.embed(*weights.embedding, tokens, d.embedding_scale, x);
    for (int i = 0; i < d.n_layers; ++i) {
        const LayerWeights& w = weights.layers[static_cast<std::size_t>(i)];
        const int window = d.windows[static_cast<std::size_t>(i)];
        // The residual sum of a block's output, normalised first where the architecture says so.
        const auto add_output = [&](const WeightMatrix& matrix, const float* in, Buffer* norm) {
            if (!norm) return backend.matmul(matrix, in, n, x, true);
            backend.matmul(matrix, in, n, h, false);
            backend.rms_norm(h, norm->data(), d.norm_eps, n, d.n_embd, x, true);
        };

        backend.rms_norm(x, w.attention_norm->data(), d.norm_eps, n, d.n_embd, h, false);
        backend.matmul(*w.qkv, h, n, ws.qkv->data(), false);
        const AttentionParams params{.layer = i,
                                     .n_heads = d.n_heads,
                                     .n_kv_heads = d.n_kv_heads,
                                     .head = codec::head_shape(d.head_dim),
                                     .scale = d.attention_scale,
                                     .q_norm = w.q_norm ? w.q_norm->data() : nullptr,
                                     .k_norm = w.k_norm ? w.k_norm->data() : nullptr,
                                     .norm_eps = d.norm_eps,
                                     .rope = d.rope_kind,
                                     .n_rope_pairs = d.n_rope_pairs,
                                     .cos = window > 0 ? ws.window_cos->data() : ws.cos->data(),
                                     .sin = window > 0 ? ws.window_sin->data() : ws.sin->data(),
                                     .window = window};
        backend.attention(params, runs, ws.qkv->data(), n, ws.attention->data());
        add_output(*w.output, ws.attention->data(), w.post_attention_norm.get());

        backend.rms_norm(x, w.feed_forward_norm->data(), d.norm_eps, n, d.n_embd, h, false);
        backend.matmul(*w.gate_up, h, n, ws.gate_up->data(), false);
        backend.gated_activation(d.activation, ws.gate_up->data(), n, d.n_ff, ws.gated->data());
        add_output(*w.down, ws.gated->data(), w.post_feed_forward_norm.get());
    }
    backend.rms_norm(x, weights.output_norm->data(), d.norm_eps, n, d.n_embd, hidden, false);
    for (const SequenceRun& run : runs) run.cache->advance(run.n_tokens);
}

}  // namespace kvsplit
