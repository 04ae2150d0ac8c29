#include "model/recurrent_layers.h"

namespace kvsplit {
namespace {

using BlockKind = RecurrentBlock::Kind;

// One block's operations over the rows of a batch.
class RecurrentPass {
  public:
    RecurrentPass(Backend& backend, const RecurrentBlock& block, const RecurrentWeights& weights,
                  RecurrentWorkspace& ws, std::span<const SequenceRun> runs, int layer, int n)
        : backend_(backend),
          block_(block),
          w_(weights),
          ws_(ws),
          runs_(runs),
          layer_(layer),
          n_(n),
          projected_(ws.projected->data()),
          convolved_(ws.convolved->data()),
          step_(ws.step ? ws.step->data() : nullptr),
          out_(ws.out ? ws.out->data() : nullptr) {}

    // The first product is [b | c | x].
    const float* short_convolution() {
        const int dim = block_.n_inner;
        backend_.gate(Activation::kNone, part(0), n_, dim, projected_ + 2 * dim, block_.n_projected());
        convolve(2 * dim, Activation::kNone);
        backend_.gate(Activation::kNone, part(dim), n_, dim, convolved_, dim);
        return convolved_;
    }

    // The first product is [z | x | b | c | dt]; the convolution takes x, b and c.
    const float* mamba2(float eps) {
        const int dim = block_.n_inner, width = block_.n_convolved();
        convolve(dim, Activation::kSilu);
        backend_.softplus(part(dim + width), w_.step_bias->data(), n_, block_.n_heads, step_);
        const int n_bc = block_.n_groups * block_.n_state;
        backend_.state_space(space(), runs_, {convolved_, width}, {convolved_ + dim, width},
                             {convolved_ + dim + n_bc, width}, {step_, block_.n_heads}, out_);
        backend_.gate(Activation::kSilu, part(0), n_, dim, out_, dim);
        if (block_.norm) {
            backend_.norm_heads(rms(w_.norm, eps), out_, dim, n_, block_.n_groups, dim / block_.n_groups);
        }
        return out_;
    }

    // The first product is [x | z].
    const float* mamba(float eps) {
        const int dim = block_.n_inner, n_state = block_.n_state, n_step = block_.n_step;
        const int width = n_step + 2 * n_state;
        float *step_bc = ws_.step_bc->data(), *short_step = ws_.short_step->data();
        float *b = step_bc + n_step, *c = b + n_state;
        convolve(0, Activation::kSilu);
        backend_.matmul(*w_.step_bc, convolved_, n_, step_bc, false);
        if (block_.norm) {
            backend_.norm_heads(rms(w_.step_norm, eps), step_bc, width, n_, 1, n_step);
            backend_.norm_heads(rms(w_.b_norm, eps), b, width, n_, 1, n_state);
            backend_.norm_heads(rms(w_.c_norm, eps), c, width, n_, 1, n_state);
        }
        backend_.copy_heads(step_bc, {width, 0}, n_, 1, n_step, short_step, {n_step, 0});
        backend_.matmul(*w_.step, short_step, n_, step_, false);
        backend_.softplus({step_, dim}, w_.step_bias->data(), n_, dim, step_);
        backend_.state_space(space(), runs_, {convolved_, dim}, {b, width}, {c, width}, {step_, dim}, out_);
        backend_.gate(Activation::kSilu, part(dim), n_, dim, out_, dim);
        return out_;
    }

    // The first product is [query | key | value | z | beta | alpha]; the convolution takes the first three.
    const float* delta_rule(float eps) {
        const int dim = block_.n_inner, width = block_.n_convolved(), heads = block_.n_heads;
        const int groups = block_.n_groups, n_key = block_.n_state, keys = groups * n_key;
        convolve(0, Activation::kSilu);
        // Keys get length 1, queries 1 / sqrt(channels).
        constexpr float kUnitEps = 1e-6f;
        backend_.norm_heads(
            {NormKind::kRms, kUnitEps / static_cast<float>(n_key), w_.unit_gain->data(), nullptr}, convolved_,
            width, n_, 2 * groups, n_key);
        StridedRows beta = part(width + dim), alpha = part(width + dim + heads);
        if (block_.steps_by_group) {
            const int each = heads / groups, row = block_.n_projected();
            float* sorted = ws_.step_bc->data();
            backend_.copy_heads(beta.data, {row, 2 * each}, n_, groups, each, sorted, {2 * heads, each});
            backend_.copy_heads(beta.data + each, {row, 2 * each}, n_, groups, each, sorted + heads,
                                {2 * heads, each});
            beta = {sorted, 2 * heads};
            alpha = {sorted + heads, 2 * heads};
        }
        backend_.softplus(alpha, w_.step_bias->data(), n_, heads, step_);
        backend_.delta_rule({.layer = layer_,
                             .n_heads = heads,
                             .n_value = dim / heads,
                             .n_groups = groups,
                             .n_key = n_key,
                             .interleaved = block_.tiled_heads,
                             .a = w_.a->data()},
                            runs_, {convolved_, width}, {convolved_ + keys, width},
                            {convolved_ + 2 * keys, width}, {step_, heads}, beta, out_);
        backend_.norm(rms(w_.norm, eps), out_, n_ * heads, dim / heads, out_, false);
        backend_.gate(Activation::kSilu, part(width), n_, dim, out_, dim);
        return out_;
    }

  private:
    // Columns of the first product from `first` on.
    StridedRows part(int first) const { return {projected_ + first, block_.n_projected()}; }
    static Norm rms(const NormWeights& w, float eps) {
        return {NormKind::kRms, eps, w.gain->data(), data_or_null(w.bias)};
    }
    StateSpace space() const {
        return {.layer = layer_,
                .n_heads = block_.n_heads,
                .head_dim = block_.n_inner / block_.n_heads,
                .n_groups = block_.n_groups,
                .n_state = block_.n_state,
                .per_channel = block_.kind == BlockKind::kMamba,
                .a = w_.a->data(),
                .d = w_.d->data()};
    }

    void convolve(int first, Activation activation) {
        backend_.convolve({.layer = layer_,
                           .n_channels = block_.n_convolved(),
                           .n_taps = block_.n_taps,
                           .weights = w_.convolution->data(),
                           .bias = data_or_null(w_.convolution_bias),
                           .activation = activation},
                          runs_, part(first), convolved_);
    }

    Backend& backend_;
    const RecurrentBlock& block_;
    const RecurrentWeights& w_;
    RecurrentWorkspace& ws_;
    std::span<const SequenceRun> runs_;
    int layer_, n_;
    float *projected_, *convolved_, *step_, *out_;
};

}  // namespace

int RecurrentBlock::n_convolved() const {
    const bool alone = kind == BlockKind::kShortConvolution || kind == BlockKind::kMamba;
    return alone ? n_inner : n_inner + 2 * n_groups * n_state;
}

int RecurrentBlock::n_projected() const {
    switch (kind) {
        case BlockKind::kShortConvolution:
            return 3 * n_inner;
        case BlockKind::kMamba:
            return 2 * n_inner;
        case BlockKind::kDeltaRule:
            return n_convolved() + n_inner + 2 * n_heads;
        default:
            return n_inner + n_convolved() + n_heads;
    }
}

RecurrentShape RecurrentBlock::shape(int n_layers) const {
    if (kind == BlockKind::kNone) return {};
    RecurrentShape shape{.n_layers = n_layers};
    shape.tail = static_cast<std::size_t>(n_taps - 1) * static_cast<std::size_t>(n_convolved());
    if (kind != BlockKind::kShortConvolution) shape.state = state_floats(n_heads, n_inner / n_heads, n_state);
    return shape;
}

RecurrentWorkspace::RecurrentWorkspace(Backend& backend, const RecurrentBlock& block, int max_tokens) {
    const auto rows = [&](int width) {
        return backend.allocate(static_cast<std::size_t>(max_tokens) * static_cast<std::size_t>(width));
    };
    projected = rows(block.n_projected());
    convolved = rows(block.n_convolved());
    if (block.kind == BlockKind::kShortConvolution) return;
    step = rows(block.kind == BlockKind::kMamba ? block.n_inner : block.n_heads);
    out = rows(block.n_inner);
    if (block.kind == BlockKind::kMamba) {
        step_bc = rows(block.n_step + 2 * block.n_state);
        short_step = rows(block.n_step);
    }
    if (block.steps_by_group) step_bc = rows(2 * block.n_heads);
}

const float* run_recurrent_block(Backend& backend, const RecurrentBlock& block,
                                 const RecurrentWeights& weights, RecurrentWorkspace& ws,
                                 std::span<const SequenceRun> runs, int layer, float eps, const float* in,
                                 int n) {
    weights.in.multiply(backend, in, n, ws.projected->data());
    RecurrentPass pass(backend, block, weights, ws, runs, layer, n);
    switch (block.kind) {
        case BlockKind::kShortConvolution:
            return pass.short_convolution();
        case BlockKind::kMamba:
            return pass.mamba(eps);
        case BlockKind::kDeltaRule:
            return pass.delta_rule(eps);
        default:
            return pass.mamba2(eps);
    }
}

}  // namespace kvsplit
