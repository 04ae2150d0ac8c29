// Backend: the operations of a forward pass on one kind of processor. model/forward.h uses only this
// interface.
//
// Pointers named x, out, ... point into the backend's memory (allocate()). Operations run eagerly, in order;
// the backend uses its own threads inside. One caller at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/activation.h"
#include "backend/mixture.h"
#include "backend/recurrence_ops.h"
#include "cache/kv_cache.h"
#include "gguf/gguf.h"

namespace kvsplit {

// Weights in the backend's own form.
class WeightMatrix {
  public:
    virtual ~WeightMatrix() = default;
    virtual int rows() const = 0;
    virtual int cols() const = 0;
    virtual std::size_t bytes() const = 0;
};

// Floats in the backend's memory.
class Buffer {
  public:
    virtual ~Buffer() = default;
    virtual float* data() = 0;
    virtual std::size_t size() const = 0;  // floats
};

// For optional operands.
inline float* data_or_null(const std::unique_ptr<Buffer>& buffer) {
    return buffer ? buffer->data() : nullptr;
}

enum class RopeKind { kPairs, kHalves };  // the elements of pair i: (2i, 2i+1) or (i, i + n/2)

enum class NormKind {
    kRms,    // x / sqrt(mean(x^2) + eps)
    kLayer,  // the same for x - mean(x)
};
struct Norm {
    NormKind kind;
    float eps;
    const float* gain;  // null: ones
    const float* bias;  // null: zeros
};

// A run of consecutive tokens of one sequence inside a batch: rows first_row .. first_row + n_tokens - 1, at
// positions cache->length() onwards.
struct SequenceRun {
    KvCache* cache;
    int first_row;
    int n_tokens;
    int context = 0;  // the most tokens that the sequence may hold
};

struct AttentionParams {
    int layer;
    int n_heads, n_kv_heads;
    codec::KvHead head;
    float scale;          // of the logits
    const float* q_norm;  // (query_dim, head_dim of the key) RMS norm gains, or null
    const float* k_norm;
    const float* v_norm = nullptr;  // likewise, of the value
    float norm_eps;
    bool norm_after_rope = false;
    RopeKind rope;
    int n_rope_pairs;
    const float* cos;  // (rows, n_rope_pairs) for the batch's positions
    const float* sin;
    // Among layers that share keys and values, only the first appends them, and only the last retires pages.
    bool appends = true, retires = true;
    int window;            // tokens, 0: all
    bool chunked = false;  // it begins at the last multiple of `window`, which is a multiple of the page size
    float soft_cap = 0;    // logits become cap * tanh(logit / cap); 0: none
    // (n_heads) what a logit loses per token of distance to its key; null: nothing
    const float* alibi_slopes = nullptr;
    const float* query_scales = nullptr;  // (rows) additional factors of the queries, or null
    // (n_heads) the logit of one more key, whose value is zero; null: none
    const float* sink_logits = nullptr;
    // (n_kv_heads) powers of two that stored keys and values are multiplied with, so that 16 bits hold them;
    // the queries and the output undo them. Null: 1.
    const float *key_scales = nullptr, *value_scales = nullptr;
};

// A range of columns with one factor; it begins where the part before it ends.
struct PartScale {
    int width;
    float factor;
};

// Where the vectors of heads begin: that of row i and head h at i * row + h * head.
struct HeadStrides {
    std::ptrdiff_t row, head;
};

class Backend {
  public:
    virtual ~Backend() = default;

    virtual std::string description() const = 0;  // "cpu avx512, 2 threads"
    // That it computes with: fewer than it was asked for where the system made no more.
    virtual int threads() const = 0;
    virtual PageMemory page_memory() = 0;

    virtual std::unique_ptr<Buffer> allocate(std::size_t floats) = 0;
    // Tensors of equal width, stacked by rows. Throws Error naming the file and the tensor.
    virtual std::unique_ptr<WeightMatrix> load(const gguf::File& file,
                                               std::span<const gguf::Tensor* const> tensors) = 0;
    // Tensors of shape (cols, rows, n_experts) and equal width, stacked by rows for each expert. For
    // experts() and matmul_heads() only.
    virtual std::unique_ptr<WeightMatrix> load_experts(const gguf::File& file,
                                                       std::span<const gguf::Tensor* const> tensors,
                                                       int n_experts) = 0;

    // out (n, cols) = scale * rows of w
    virtual void embed(const WeightMatrix& w, std::span<const Token> tokens, float scale, float* out) = 0;
    // out (n, w.rows) = x (n, w.cols) w^T, or += with accumulate
    virtual void matmul(const WeightMatrix& w, const float* x, int n, float* out, bool accumulate) = 0;
    // out (n, dim) = norm(x) * gain + bias, or += with accumulate. Gain and bias: (dim). out may be x.
    virtual void norm(const Norm& norm, const float* x, int n, int dim, float* out, bool accumulate) = 0;
    // In place, for each head: row i is n_heads vectors of dim from x + i * stride on. Gain and bias:
    // (n_heads, dim).
    virtual void norm_heads(const Norm& norm, float* x, std::ptrdiff_t stride, int n, int n_heads,
                            int dim) = 0;
    // For n rows and each head h: out = w_h x, where w holds n_heads matrices, from load_experts().
    virtual void matmul_heads(const WeightMatrix& w, const float* x, HeadStrides x_at, int n, float* out,
                              HeadStrides out_at) = 0;
    // Copies a vector of dim for each of n rows and n_heads heads; x_at.head = 0 repeats one vector for all
    // heads.
    virtual void copy_heads(const float* x, HeadStrides x_at, int n, int n_heads, int dim, float* out,
                            HeadStrides out_at) = 0;
    // out (n, n_embd) = for each row of x (n, n_embd) the sum over its experts of
    //   weight * (down (f(gate x + bias) * (up x + bias)) + bias)
    // logits: (n, n_experts). out may be x. A row's experts are summed in the order in which they were
    // chosen, best first.
    virtual void experts(const Mixture& mixture, const float* logits, const float* x, int n, float* out) = 0;
    // out (n, dim) = f(gate) * up of gate_up (n, [gate | up], 2 dim)
    virtual void gated_activation(Activation f, const float* gate_up, int n, int dim, float* out) = 0;
    // Row i of x (n, dim), from x + i * stride on, = f(gate) * x
    virtual void gate(Activation f, StridedRows gate, int n, int dim, float* x, std::ptrdiff_t stride) = 0;
    // x (n, dim) = f(x)
    virtual void activation(Activation f, int n, int dim, float* x) = 0;
    virtual void xielu(const Xielu& f, int n, int dim, float* x) = 0;
    // out (n, dim) += factor * x
    virtual void add(const float* x, float factor, int n, int dim, float* out) = 0;
    // Row i of out (n, dim) += sigmoid(gate[i]) * row i of x
    virtual void add_gated(const float* gate, const float* x, int n, int dim, float* out) = 0;
    // Every row of x (n, dim) += bias (dim)
    virtual void add_bias(const float* bias, int n, int dim, float* x) = 0;
    // x (n, dim) = factor * x
    virtual void scale(float factor, int n, int dim, float* x) = 0;
    // Row i of x (n, dim) *= factors[i]
    virtual void scale_rows(const float* factors, int n, int dim, float* x) = 0;
    // Each part's columns of x (n, dim = sum of widths) times its factor.
    virtual void scale_parts(std::span<const PartScale> parts, int n, int dim, float* x) = 0;
    // x (n, dim) = min(max(x, -limit), limit)
    virtual void clamp(float limit, int n, int dim, float* x) = 0;
    // x (n, dim) = cap * tanh(x / cap)
    virtual void soft_cap(float cap, int n, int dim, float* x) = 0;
    // qkv (n, [n_heads q | n_kv_heads k | n_kv_heads v], of query_dim, the key's and the value's head_dim;
    // of what does not append q alone): normalises and rotates q and k, appends k and v to the caches, seals
    // pages that fall due, attends, retires pages. out (n, n_heads * the value's head_dim). The caches'
    // lengths are advanced by the caller after the last layer. Throws Error(kUnsupported) where 16 bits do
    // not hold a key or a value; the caches are then good for nothing but trim(0).
    virtual void attention(const AttentionParams& params, std::span<const SequenceRun> runs, const float* qkv,
                           int n, float* out) = 0;

    // out (n, dim) = log(1 + e^(x + bias)). bias: (dim)
    virtual void softplus(StridedRows x, const float* bias, int n, int dim, float* out) = 0;
    // Recurrences advance the runs' RecurrentStates. out (n, n_channels), not x.
    virtual void convolve(const Convolution& convolution, std::span<const SequenceRun> runs, StridedRows x,
                          float* out) = 0;
    // x (n, n_heads * head_dim), b and c (n, n_groups * n_state), dt (n, n_heads), or (n, n_heads * head_dim)
    // if per_channel. out (n, n_heads * head_dim), not x.
    virtual void state_space(const StateSpace& space, std::span<const SequenceRun> runs, StridedRows x,
                             StridedRows b, StridedRows c, StridedRows dt, float* out) = 0;
    // query and key (n, n_groups * n_key), value (n, n_heads * n_value), step = softplus(alpha + bias) and
    // beta (n, n_heads). out (n, n_heads * n_value), not value.
    virtual void delta_rule(const DeltaRule& rule, std::span<const SequenceRun> runs, StridedRows query,
                            StridedRows key, StridedRows value, StridedRows step, StridedRows beta,
                            float* out) = 0;
};

struct CpuOptions {
    int threads = 0;           // 0: default_threads()
    int activation_bits = 16;  // of activations in matrix products: 8, 16, or 32 for f32
};
std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options);

}  // namespace kvsplit
