#include "model/forward.h"

#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "base/check.h"

namespace kvsplit {
namespace {

// Fills cos and sin (rows, pairs) for the batch's positions.
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

// Fills the factors (rows) of the queries at the batch's positions.
void fill_query_scales(const QueryTemperature& t, std::span<const SequenceRun> runs, float* scales) {
    for (const SequenceRun& run : runs) {
        for (int i = 0; i < run.n_tokens; ++i) {
            const double passed = std::floor(double(run.cache->length() + i + t.offset) / t.period);
            scales[run.first_row + i] = static_cast<float>(1 + double{t.scale} * std::log(1 + passed));
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
    const int qkv_width = d.widest(&ModelDescription::qkv_width);
    qkv = rows(qkv_width);
    attention = rows(d.widest(&ModelDescription::attended_width));
    if (d.gate.source == AttentionGate::Source::kQuery)
        gated_qkv = rows(qkv_width + d.widest(&ModelDescription::gate_width));
    if (d.gate.source == AttentionGate::Source::kInput) gates = rows(d.widest(&ModelDescription::gate_width));
    int n_ff = d.n_shared_ff;
    for (int i = 0; i < d.n_layers; ++i) {
        if (!d.has_experts(i) || d.early_experts) n_ff = std::max(n_ff, d.ff(i));
    }
    up = rows(d.gated ? 2 * n_ff : n_ff);
    if (d.gated) gated = rows(n_ff);
    if (d.routing.n_experts > 0) {
        router = rows(d.routing.n_experts);
        mixed = rows(d.n_embd);
    }
    if (d.shared_gate) shared_gate = rows(1);
    if (d.n_expert_embd > 0) expert_latent = rows(d.n_expert_embd);
    if (const LatentAttention& l = d.latent; l.kv_rank > 0) {
        if (l.q_rank > 0) q_latent = rows(l.q_rank);
        q = rows(d.n_heads * (l.n_plain + d.head_dim - l.kv_rank));
        kv_latent = rows(d.head_dim);
        heads = rows(d.widest(&ModelDescription::attention_width));
    }
    if (d.recurrence.kind != RecurrentBlock::Kind::kNone)
        recurrent = std::make_unique<RecurrentWorkspace>(backend, d.recurrence, max_tokens);
    if (d.n_embd_per_layer > 0) per_layer = std::make_unique<PerLayerWorkspace>(backend, d, max_tokens);
    cos = rows(d.rope.n_pairs());
    sin = rows(d.rope.n_pairs());
    if (has_windows(d)) {
        window_cos = rows(d.window_rope.n_pairs());
        window_sin = rows(d.window_rope.n_pairs());
    }
    if (d.temperature.scale > 0) query_scales = rows(1);
}

namespace {

// One forward pass over a batch.
class Pass {
  public:
    Pass(Backend& backend, const ModelDescription& d, Workspace& ws, std::span<const SequenceRun> runs, int n)
        : backend_(backend), d_(d), ws_(ws), runs_(runs), n_(n), x_(ws.x->data()), h_(ws.h->data()) {}

    void embed(const Weights& w, std::span<const Token> tokens) {
        backend_.embed(*w.embedding, tokens, d_.embedding_scale, x_);
        if (w.positions) {
            std::vector<Token> positions(tokens.size());
            for (const SequenceRun& run : runs_) {
                std::iota(positions.begin() + run.first_row, positions.begin() + run.first_row + run.n_tokens,
                          run.cache->length());
            }
            backend_.embed(*w.positions, positions, 1.0f, h_);
            backend_.add(h_, 1.0f, n_, d_.n_embd, x_);
        }
        if (d_.embedding_norm) backend_.norm(norm(w.embedding_norm), x_, n_, d_.n_embd, x_, false);
        if (ws_.per_layer) make_layer_inputs(backend_, d_, w.per_layer, tokens, x_, *ws_.per_layer);
    }

    void layer(const Weights& weights, int i) {
        const LayerWeights& w = weights.layers[static_cast<std::size_t>(i)];
        const LayerBlocks& blocks = d_.blocks[static_cast<std::size_t>(i)];
        if (d_.early_router && w.experts) multiply(w.experts->router, x_, ws_.router->data(), false);
        if (d_.early_experts && w.experts) mix(*w.experts, i, input(w.experts->norm));
        const float *in = nullptr, *attended = nullptr, *remembered = nullptr;
        if (blocks.attention || blocks.recurrence) in = input(w.attention_norm);
        if (blocks.attention) {
            const LayerWeights& kept = weights.layers[static_cast<std::size_t>(d_.kv_layer(i))];
            attended = attend(w, i, in, kept.kv_scales, data_or_null(weights.alibi_slopes));
        }
        if (blocks.recurrence) {
            remembered = run_recurrent_block(backend_, d_.recurrence, *w.recurrent, *ws_.recurrent, runs_,
                                             d_.recurrent_layer(i), d_.norm_eps, in, n_);
        }
        const auto add_outputs = [&] {
            if (attended) add_output(w.output, attended, w.post_attention_norm);
            if (remembered) add_output(w.recurrent->out, remembered, w.post_attention_norm);
        };
        // Parallel blocks read the same x; only the order of the two sums differs.
        if (!d_.parallel) add_outputs();
        if (blocks.feed_forward) feed_forward(w, i);
        if (d_.parallel) add_outputs();
        if (ws_.per_layer) {
            const float* gated = gated_layer_input(backend_, d_, w.input, i, x_, n_, *ws_.per_layer);
            add_output(w.input.projection, gated, w.input.norm);
        }
        if (w.output_scale != 1.0f) backend_.scale(w.output_scale, n_, d_.n_embd, x_);
    }

    // As probe_keys_and_values().
    KvMagnitudes probe(const LayerWeights& w, int i) {
        std::minstd_rand random(static_cast<unsigned>(i + 1));
        const std::ptrdiff_t n_states = std::ptrdiff_t{n_} * d_.n_embd;
        for (std::ptrdiff_t k = 0; k < n_states; ++k) x_[k] = random() & 1024 ? 1.0f : -1.0f;
        const float* qkv = make_qkv(w, i, input(w.attention_norm));
        const codec::KvHead head = d_.kv_head(i);
        const LayerHeads& heads = d_.heads_of(i);
        const int n_key = head.key.head_dim, n_value = head.value.head_dim;
        const auto largest = [&](int first, int dim, int kv_head) {
            float top = 0;
            for (int r = 0; r < n_; ++r) {
                const float* x = qkv + std::ptrdiff_t{r} * d_.qkv_width(i) + first + kv_head * dim;
                for (int c = 0; c < dim; ++c) top = std::max(top, std::abs(x[c]));
            }
            return top;
        };
        // Heads that attention normalises are as large as their gains.
        const auto gain = [](const NormWeights& norm, int dim) {
            float top = 0;
            for (int c = 0; c < dim; ++c) top = std::max(top, std::abs(norm.gain->data()[c]));
            return top;
        };
        KvMagnitudes out;
        for (int h = 0; h < heads.n_kv; ++h) {
            const int keys = heads.n * head.query_dim(), values = keys + heads.n_kv * n_key;
            out.key.push_back(norms_inside() && w.k_norm.gain ? gain(w.k_norm, n_key)
                                                              : largest(keys, n_key, h));
            out.value.push_back(w.v_norm.gain ? gain(w.v_norm, n_value) : largest(values, n_value, h));
        }
        return out;
    }

    void finish(const Weights& w, float* hidden) {
        backend_.norm(norm(w.output_norm), x_, n_, d_.n_embd, hidden, false);
    }

  private:
    Norm norm(const NormWeights& w) const {
        return {d_.norm, d_.norm_eps, data_or_null(w.gain), data_or_null(w.bias)};
    }

    // Overwrites h_ if `accumulate`.
    void multiply(const Linear& w, const float* in, float* out, bool accumulate) {
        if (!accumulate) return w.multiply(backend_, in, n_, out);
        if (!w.scales.empty()) {
            w.multiply(backend_, in, n_, h_);
            return backend_.add(h_, 1.0f, n_, w.matrix->rows(), out);
        }
        backend_.matmul(*w.matrix, in, n_, out, true);
        if (w.bias) backend_.add_bias(w.bias->data(), n_, w.matrix->rows(), out);
    }

    // A block's input: x itself, or its norm, written to h.
    const float* input(const NormWeights& w) {
        if (!d_.pre_norms) return x_;
        backend_.norm(norm(w), x_, n_, d_.n_embd, h_, false);
        return h_;
    }

    // Adds a block's output to x, after post-norm and scale if the model has them.
    void add_output(const Linear& w, const float* in, const NormWeights& post) {
        if (!d_.post_norms && d_.residual_scale == 1.0f) return multiply(w, in, x_, true);
        multiply(w, in, h_, false);
        add_output(h_, post);
    }
    void add_output(float* out, const NormWeights& post) {
        if (!d_.post_norms) return backend_.add(out, d_.residual_scale, n_, d_.n_embd, x_);
        if (d_.residual_scale != 1.0f) backend_.scale(d_.residual_scale, n_, d_.n_embd, out);
        Norm after = norm(post);
        if (d_.post_norm_eps > 0) after.eps = d_.post_norm_eps;
        backend_.norm(after, out, n_, d_.n_embd, x_, true);
    }

    // Whether attention itself normalises queries and keys in passing, by the most frequent kind.
    bool norms_inside() const {
        return d_.norm == NormKind::kRms && (d_.qk_norm == QkNorm::kHead || d_.qk_norm == QkNorm::kBareHead);
    }

    // Queries, and keys and values of layers that keep them: (n, qkv_width).
    float* make_qkv(const LayerWeights& w, int i, const float* in) {
        float* qkv = ws_.qkv->data();
        if (w.latent) {
            latent_qkv(*w.latent, i, in, qkv);
        } else if (d_.gate.source == AttentionGate::Source::kQuery) {
            multiply(w.qkv, in, ws_.gated_qkv->data(), false);
            split_gated_queries(ws_.gated_qkv->data(), i, qkv);
        } else {
            multiply(w.qkv, in, qkv, false);
        }
        if (d_.clamp_qkv > 0) backend_.clamp(d_.clamp_qkv, n_, d_.qkv_width(i), qkv);
        if (d_.qk_norm != QkNorm::kNone && !norms_inside()) normalise_queries_and_keys(w, i, qkv);
        return qkv;
    }

    // What all heads found (n, attention_width). scales: of the keys and values that the layer reads.
    const float* attend(const LayerWeights& w, int i, const float* in, const KvScales& scales,
                        const float* alibi_slopes) {
        const LayerHeads& heads = d_.heads_of(i);
        float* qkv = make_qkv(w, i, in);
        if (w.gate.matrix) multiply(w.gate, in, ws_.gates->data(), false);
        const int window = d_.window(i);
        const bool rotary = d_.rotary[static_cast<std::size_t>(i)];
        const Rope& rope = window > 0 ? d_.window_rope : d_.rope;
        const bool tempered = !(rotary && d_.temperature.unrotated_only);
        const AttentionParams params{.layer = d_.cache_layer(i),
                                     .n_heads = heads.n,
                                     .n_kv_heads = heads.n_kv,
                                     .head = d_.kv_head(i),
                                     .scale = d_.attention_scale,
                                     .q_norm = norms_inside() ? data_or_null(w.q_norm.gain) : nullptr,
                                     .k_norm = norms_inside() ? data_or_null(w.k_norm.gain) : nullptr,
                                     .v_norm = data_or_null(w.v_norm.gain),
                                     .norm_eps = d_.norm_eps,
                                     .norm_after_rope = d_.norm_after_rope,
                                     .rope = d_.rope_kind,
                                     .n_rope_pairs = rotary ? rope.n_pairs() : 0,
                                     .cos = window > 0 ? ws_.window_cos->data() : ws_.cos->data(),
                                     .sin = window > 0 ? ws_.window_sin->data() : ws_.sin->data(),
                                     .appends = d_.keeps_kv(i),
                                     .retires = d_.reads_last(i),
                                     .window = window,
                                     .chunked = window > 0 && d_.chunked_windows,
                                     .soft_cap = d_.attention_soft_cap,
                                     .alibi_slopes = alibi_slopes,
                                     .query_scales = tempered ? data_or_null(ws_.query_scales) : nullptr,
                                     .sink_logits = data_or_null(w.sink_logits),
                                     .key_scales = scales.key.empty() ? nullptr : scales.key.data(),
                                     .value_scales = scales.value.empty() ? nullptr : scales.value.data()};
        backend_.attention(params, runs_, qkv, n_, ws_.attention->data());
        gate_heads(i, qkv, ws_.attention->data());
        if (d_.sub_norms) normalise(w.attention_sub_norm, d_.attention_width(i), ws_.attention->data());
        if (!w.latent) return ws_.attention->data();
        backend_.matmul_heads(*w.latent->v_b, ws_.attention->data(),
                              {d_.attended_width(i), params.head.value.head_dim}, n_, ws_.heads->data(),
                              {d_.attention_width(i), d_.latent.n_value});
        return ws_.heads->data();
    }

    // Gathers qkv from (n, [query | gate] of each head, keys, values).
    void split_gated_queries(const float* gated, int i, float* qkv) {
        const LayerHeads& heads = d_.heads_of(i);
        const int dim = heads.dim, q = heads.n * dim, row = d_.qkv_width(i);
        backend_.copy_heads(gated, {row + q, 2 * dim}, n_, heads.n, dim, qkv, {row, dim});
        backend_.copy_heads(gated + 2 * q, {row + q, dim}, n_, (row - q) / dim, dim, qkv + q, {row, dim});
    }
    // Applies the gates to the heads' outputs (n, heads * head_dim).
    void gate_heads(int i, float* qkv, float* out) {
        const auto [heads, n_kv, dim] = d_.heads_of(i);
        const int q = heads * dim, row = d_.qkv_width(i);
        const Activation f = d_.gate.activation;
        if (d_.gate.source == AttentionGate::Source::kNone) return;
        if (d_.gate.source == AttentionGate::Source::kQuery) {
            // Overwrites the queries, which are no longer needed.
            backend_.copy_heads(ws_.gated_qkv->data() + dim, {row + q, 2 * dim}, n_, heads, dim, qkv,
                                {row, dim});
            return backend_.gate(f, {qkv, row}, n_, q, out, q);
        }
        float* gates = ws_.gates->data();
        if (!d_.gate.whole_heads) return backend_.gate(f, {gates, q}, n_, q, out, q);
        backend_.activation(f, n_, heads, gates);
        backend_.scale_rows(gates, n_ * heads, dim, out);
    }

    // Fills qkv: [rotated | latent] of each query head, then the key's rotated part and latent, shared by
    // all.
    void latent_qkv(const LatentWeights& w, int i, const float* in, float* qkv) {
        const LatentAttention& l = d_.latent;
        const int rank = l.kv_rank, n_rotary = d_.head_dim - rank, q_head = l.n_plain + n_rotary;
        float *q = ws_.q->data(), *kv = ws_.kv_latent->data();
        if (w.q_a.matrix) {
            float* latent = ws_.q_latent->data();
            multiply(w.q_a, in, latent, false);
            backend_.norm(norm(w.q_a_norm), latent, n_, l.q_rank, latent, false);
            multiply(w.q, latent, q, false);
        } else {
            multiply(w.q, in, q, false);
        }
        multiply(w.kv_a, in, kv, false);
        backend_.norm_heads(norm(w.kv_a_norm), kv, d_.head_dim, n_, 1, rank);

        const HeadStrides from{d_.n_heads * q_head, q_head}, to{d_.qkv_width(i), d_.head_dim};
        backend_.copy_heads(q + l.n_plain, from, n_, d_.n_heads, n_rotary, qkv, to);
        backend_.matmul_heads(*w.k_b, q, from, n_, qkv + n_rotary, to);
        const HeadStrides latent{d_.head_dim, 0};
        float* key = qkv + d_.n_heads * d_.head_dim;
        backend_.copy_heads(kv + rank, latent, n_, 1, n_rotary, key, to);
        backend_.copy_heads(kv, latent, n_, 1, rank, key + n_rotary, to);
    }

    void normalise_queries_and_keys(const LayerWeights& w, int i, float* qkv) {
        const LayerHeads& heads = d_.heads_of(i);
        const auto side = [&](const NormWeights& weights, float* first, int n_heads) {
            const bool row = d_.qk_norm == QkNorm::kRow;
            backend_.norm_heads(norm(weights), first, d_.qkv_width(i), n_, row ? 1 : n_heads,
                                row ? n_heads * heads.dim : heads.dim);
        };
        side(w.q_norm, qkv, heads.n);
        if (d_.keeps_kv(i)) side(w.k_norm, qkv + heads.n * heads.dim, heads.n_kv);
    }

    void normalise(const NormWeights& w, int width, float* x) {
        backend_.norm(norm(w), x, n_, width, x, false);
    }

    void feed_forward(const LayerWeights& w, int i) {
        if (w.experts && d_.expert_norms) {
            mix_between_norms(w, i);
            return add_output(ws_.mixed->data(), w.post_feed_forward_norm);
        }
        const float* in = d_.shared_norm ? h_ : input(w.feed_forward_norm);
        if (w.experts && !d_.early_experts) {
            mix(*w.experts, i, in);
            return add_output(ws_.mixed->data(), w.post_feed_forward_norm);
        }
        float* hidden = activated(w.up, i, in, d_.ff(i));
        if (d_.sub_norms) normalise(w.feed_forward_sub_norm, d_.ff(i), hidden);
        add_output(w.down, hidden, w.post_feed_forward_norm);
        if (w.experts) add_output(ws_.mixed->data(), w.post_feed_forward_norm);
    }

    // A feed-forward block of n_ff channels, up to its last product.
    float* activated(const Linear& w, int i, const float* in, int n_ff) {
        float* up = ws_.up->data();
        multiply(w, in, up, false);
        if (!d_.gated) {
            if (d_.xielu.empty()) {
                backend_.activation(d_.activation, n_, n_ff, up);
            } else {
                backend_.xielu(d_.xielu[static_cast<std::size_t>(i)], n_, n_ff, up);
            }
            return up;
        }
        backend_.gated_activation(d_.activation, up, n_, n_ff, ws_.gated->data());
        return ws_.gated->data();
    }

    // ws_.mixed = the experts' output for `in`, which is overwritten.
    void mix(const ExpertWeights& w, int i, const float* in) {
        float* mixed = ws_.mixed->data();
        if (!d_.early_router) multiply(w.router, in, ws_.router->data(), false);
        run_experts(w, in, mixed);
        if (w.shared_up.matrix) add_shared_expert(w, i, in, mixed);
        if (d_.mixture_scale != 1.0f) backend_.scale(d_.mixture_scale, n_, d_.n_embd, mixed);
    }

    // The same for x with expert_norms: the router, the experts and the shared expert each read x through
    // their own norm; the outputs of the last two are normalised before they are added.
    void mix_between_norms(const LayerWeights& l, int i) {
        const ExpertWeights& w = *l.experts;
        float* mixed = ws_.mixed->data();
        multiply(w.router, input(w.router_norm), ws_.router->data(), false);
        run_experts(w, input(w.norm), mixed);
        normalise(w.post_norm, d_.n_embd, mixed);
        const float* shared = activated(w.shared_up, i, input(l.feed_forward_norm), d_.n_shared_ff);
        multiply(w.shared_down, shared, h_, false);
        backend_.norm(norm(w.shared_post_norm), h_, n_, d_.n_embd, mixed, true);
    }

    // out (n, n_embd) = the output of the experts chosen by the router's logits, for `in`.
    void run_experts(const ExpertWeights& w, const float* in, float* out) {
        if (d_.router_soft_cap > 0)
            backend_.soft_cap(d_.router_soft_cap, n_, d_.routing.n_experts, ws_.router->data());
        const Mixture mixture{.routing = d_.routing,
                              .activation = d_.activation,
                              .gated = d_.gated,
                              .selection_bias = data_or_null(w.selection_bias),
                              .up = w.up.get(),
                              .down = w.down.get(),
                              .up_scale = data_or_null(w.up_scale),
                              .down_scale = data_or_null(w.down_scale),
                              .up_bias = data_or_null(w.up_bias),
                              .down_bias = data_or_null(w.down_bias)};
        if (!w.latent_in.matrix) return backend_.experts(mixture, ws_.router->data(), in, n_, out);
        float* latent = ws_.expert_latent->data();
        multiply(w.latent_in, in, latent, false);
        backend_.experts(mixture, ws_.router->data(), latent, n_, latent);
        multiply(w.latent_out, latent, out, false);
    }

    // Adds the shared expert's output for `in`, which is overwritten.
    void add_shared_expert(const ExpertWeights& w, int i, const float* in, float* mixed) {
        if (w.shared_gate) backend_.matmul(*w.shared_gate, in, n_, ws_.shared_gate->data(), false);
        const float* shared = activated(w.shared_up, i, in, d_.n_shared_ff);
        if (!w.shared_gate) return multiply(w.shared_down, shared, mixed, true);
        multiply(w.shared_down, shared, h_, false);
        backend_.add_gated(ws_.shared_gate->data(), h_, n_, d_.n_embd, mixed);
    }

    Backend& backend_;
    const ModelDescription& d_;
    Workspace& ws_;
    std::span<const SequenceRun> runs_;
    int n_;
    float* x_;  // (n, n_embd) the residual stream
    float* h_;  // (n, n_embd)
};

}  // namespace

void forward(Backend& backend, const ModelDescription& d, const Weights& weights, Workspace& ws,
             std::span<const Token> tokens, std::span<const SequenceRun> runs, float* hidden) {
    const int n = static_cast<int>(tokens.size());
    KVSPLIT_CHECK(n > 0 && n <= ws.max_tokens());
    fill_rope(d.rope, runs, ws.cos->data(), ws.sin->data());
    if (ws.query_scales) fill_query_scales(d.temperature, runs, ws.query_scales->data());
    if (ws.window_cos) fill_rope(d.window_rope, runs, ws.window_cos->data(), ws.window_sin->data());
    Pass pass(backend, d, ws, runs, n);
    pass.embed(weights, tokens);
    for (int i = 0; i < d.n_layers; ++i) pass.layer(weights, i);
    pass.finish(weights, hidden);
    for (const SequenceRun& run : runs) run.cache->advance(run.n_tokens);
}

KvMagnitudes probe_keys_and_values(Backend& backend, const ModelDescription& d, const Weights& weights,
                                   Workspace& ws, int layer, int n) {
    KVSPLIT_CHECK(d.keeps_kv(layer) && n > 0 && n <= ws.max_tokens());
    return Pass(backend, d, ws, {}, n).probe(weights.layers[static_cast<std::size_t>(layer)], layer);
}

void project(Backend& backend, const ModelDescription& d, const Weights& weights, const float* hidden, int n,
             float* logits) {
    backend.matmul(weights.output(), hidden, n, logits, false);
    if (const auto& scales = weights.separate_output.scales; !scales.empty())
        backend.scale_parts(scales, n, d.n_vocab, logits);
    if (const auto& bias = weights.separate_output.bias) backend.add_bias(bias->data(), n, d.n_vocab, logits);
    if (d.logit_scale != 1.0f) backend.scale(d.logit_scale, n, d.n_vocab, logits);
    if (d.logit_soft_cap > 0) backend.soft_cap(d.logit_soft_cap, n, d.n_vocab, logits);
}

}  // namespace kvsplit
