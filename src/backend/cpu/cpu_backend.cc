// The CPU backend: kernels of the best instruction set, one team of threads.
#include <fmt/format.h>

#include <cmath>

#include "backend/backend.h"
#include "backend/cpu/attention.h"
#include "backend/cpu/experts.h"
#include "backend/cpu/head_products.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/load_matrix.h"
#include "backend/cpu/matmul.h"
#include "backend/cpu/parallel_recurrence.h"
#include "base/check.h"
#include "base/default_threads.h"
#include "base/error.h"

namespace kvsplit {
namespace cpu {
namespace {

class CpuBuffer final : public Buffer {
  public:
    explicit CpuBuffer(std::size_t floats)
        : memory_(std::max<std::size_t>(floats, 1) * sizeof(float)), size_(floats) {
        std::fill_n(data(), size_, 0.0f);
    }
    float* data() override { return reinterpret_cast<float*>(memory_.data()); }
    std::size_t size() const override { return size_; }

  private:
    AlignedBuffer memory_;
    std::size_t size_;
};

class CpuMatrix final : public WeightMatrix {
  public:
    explicit CpuMatrix(PackedMatrix m) : packed(std::move(m)) {}
    int rows() const override { return packed.rows(); }
    int cols() const override { return packed.cols(); }
    std::size_t bytes() const override { return packed.bytes(); }
    PackedMatrix packed;
};

const PackedMatrix& packed(const WeightMatrix& w) { return static_cast<const CpuMatrix&>(w).packed; }

class CpuBackend final : public Backend {
  public:
    explicit CpuBackend(const CpuOptions& options)
        : activations_(activations_of(options)),
          pool_(options.threads > 0 ? options.threads : default_threads()),
          kernels_(kernels(choose_isa())),
          attention_(pool_, kernels_),
          experts_(pool_, kernels_),
          head_products_(pool_, kernels_),
          recurrence_(pool_, kernels_) {}

    std::string description() const override {
        return fmt::format("cpu {}, {} thread{}", isa_name(kernels_.isa), pool_.size(),
                           pool_.size() == 1 ? "" : "s");
    }
    int threads() const override { return pool_.size(); }
    PageMemory page_memory() override { return memory_; }
    std::unique_ptr<Buffer> allocate(std::size_t floats) override {
        return std::make_unique<CpuBuffer>(floats);
    }

    std::unique_ptr<WeightMatrix> load(const gguf::File& file,
                                       std::span<const gguf::Tensor* const> tensors) override {
        return load_experts(file, tensors, 1);
    }

    std::unique_ptr<WeightMatrix> load_experts(const gguf::File& file,
                                               std::span<const gguf::Tensor* const> tensors,
                                               int n_experts) override {
        const auto pack = [&](std::span<const WeightSource> sources, std::int64_t cols) {
            return PackedMatrix::pack(pool_, sources, cols, activations_);
        };
        return std::make_unique<CpuMatrix>(load_matrix(file, tensors, n_experts, pack));
    }

    void embed(const WeightMatrix& w, std::span<const Token> tokens, float scale, float* out) override {
        const PackedMatrix& m = packed(w);
        pool_.for_each(static_cast<int>(tokens.size()), [&](int i) {
            float* row = out + static_cast<std::ptrdiff_t>(i) * m.cols();
            m.get_row(tokens[static_cast<std::size_t>(i)], row);
            if (scale != 1.0f) kernels_.scale(row, scale, m.cols(), row);
        });
    }

    void matmul(const WeightMatrix& w, const float* x, int n, float* out, bool accumulate) override {
        cpu::matmul(pool_, kernels_, packed(w), x, n, out, w.rows(), accumulate, scratch_);
    }

    void matmul_heads(const WeightMatrix& w, const float* x, HeadStrides x_at, int n, float* out,
                      HeadStrides out_at) override {
        head_products_.run(packed(w), x, x_at, n, out, out_at);
    }

    void copy_heads(const float* x, HeadStrides x_at, int n, int n_heads, int dim, float* out,
                    HeadStrides out_at) override {
        for_rows(n, [&](int i) {
            for (int h = 0; h < n_heads; ++h)
                std::copy_n(x + i * x_at.row + h * x_at.head, dim, out + i * out_at.row + h * out_at.head);
        });
    }

    void experts(const Mixture& mixture, const float* logits, const float* x, int n, float* out) override {
        experts_.run({mixture, packed(*mixture.up), packed(*mixture.down)}, logits, x, n, out);
    }

    void norm(const Norm& norm, const float* x, int n, int dim, float* out, bool accumulate) override {
        for_rows(n, [&](int i) {
            const auto at = static_cast<std::ptrdiff_t>(i) * dim;
            norm_row(norm, norm.gain, norm.bias, x + at, dim, out + at, accumulate);
        });
    }

    void norm_heads(const Norm& norm, float* x, std::ptrdiff_t stride, int n, int n_heads, int dim) override {
        for_rows(n, [&](int i) {
            for (int h = 0; h < n_heads; ++h) {
                float* head = x + i * stride + h * dim;
                norm_row(norm, norm.gain ? norm.gain + h * dim : nullptr,
                         norm.bias ? norm.bias + h * dim : nullptr, head, dim, head, false);
            }
        });
    }

    void gated_activation(Activation f, const float* gate_up, int n, int dim, float* out) override {
        const auto gated = kernels_.gated[static_cast<int>(f)];
        for_pieces(n, dim, [&](int row, int at, int count) {
            const float* gate = gate_up + static_cast<std::ptrdiff_t>(row) * 2 * dim + at;
            gated(gate, gate + dim, count, out + static_cast<std::ptrdiff_t>(row) * dim + at);
        });
    }

    void gate(Activation f, StridedRows gate, int n, int dim, float* x, std::ptrdiff_t stride) override {
        const auto gated = kernels_.gated[static_cast<int>(f)];
        for_pieces(n, dim, [&](int row, int at, int count) {
            float* first = x + row * stride + at;
            gated(gate.row(row) + at, first, count, first);
        });
    }

    void activation(Activation f, int n, int dim, float* x) override {
        const auto activate = kernels_.activation[static_cast<int>(f)];
        for_pieces(n, dim, [&](int row, int at, int count) {
            activate(count, x + static_cast<std::ptrdiff_t>(row) * dim + at);
        });
    }

    void xielu(const Xielu& f, int n, int dim, float* x) override {
        for_pieces(n, dim, [&](int row, int at, int count) {
            kernels_.xielu(f, count, x + static_cast<std::ptrdiff_t>(row) * dim + at);
        });
    }

    void add(const float* x, float factor, int n, int dim, float* out) override {
        for_pieces(n, dim, [&](int row, int at, int count) {
            const auto first = static_cast<std::ptrdiff_t>(row) * dim + at;
            kernels_.add(x + first, factor, count, out + first);
        });
    }

    void add_gated(const float* gate, const float* x, int n, int dim, float* out) override {
        for_pieces(n, dim, [&](int row, int at, int count) {
            const auto first = static_cast<std::ptrdiff_t>(row) * dim + at;
            kernels_.add(x + first, 1.0f / (1.0f + std::exp(-gate[row])), count, out + first);
        });
    }

    void add_bias(const float* bias, int n, int dim, float* x) override {
        for_pieces(n, dim, [&](int row, int at, int count) {
            kernels_.add(bias + at, 1.0f, count, x + static_cast<std::ptrdiff_t>(row) * dim + at);
        });
    }

    void scale(float factor, int n, int dim, float* x) override {
        for_pieces(n, dim, [&](int row, int at, int count) {
            float* first = x + static_cast<std::ptrdiff_t>(row) * dim + at;
            kernels_.scale(first, factor, count, first);
        });
    }

    void scale_rows(const float* factors, int n, int dim, float* x) override {
        for_pieces(n, dim, [&](int row, int at, int count) {
            float* first = x + static_cast<std::ptrdiff_t>(row) * dim + at;
            kernels_.scale(first, factors[row], count, first);
        });
    }

    void scale_parts(std::span<const PartScale> parts, int n, int dim, float* x) override {
        for_rows(n, [&](int i) {
            float* at = x + static_cast<std::ptrdiff_t>(i) * dim;
            for (const PartScale& part : parts) {
                kernels_.scale(at, part.factor, part.width, at);
                at += part.width;
            }
        });
    }

    void clamp(float limit, int n, int dim, float* x) override {
        for_pieces(n, dim, [&](int row, int at, int count) {
            kernels_.clamp(limit, count, x + static_cast<std::ptrdiff_t>(row) * dim + at);
        });
    }

    void soft_cap(float cap, int n, int dim, float* x) override {
        for_pieces(n, dim, [&](int row, int at, int count) {
            kernels_.soft_cap(cap, count, x + static_cast<std::ptrdiff_t>(row) * dim + at);
        });
    }

    void attention(const AttentionParams& params, std::span<const SequenceRun> runs, const float* qkv, int n,
                   float* out) override {
        attention_.run(params, runs, qkv, n, out);
    }

    void softplus(StridedRows x, const float* bias, int n, int dim, float* out) override {
        for_pieces(n, dim, [&](int row, int at, int count) {
            kernels_.recurrence.softplus(x.row(row) + at, bias + at, count,
                                         out + static_cast<std::ptrdiff_t>(row) * dim + at);
        });
    }

    void convolve(const Convolution& convolution, std::span<const SequenceRun> runs, StridedRows x,
                  float* out) override {
        recurrence_.convolve(convolution, runs, x, out);
    }

    void state_space(const StateSpace& space, std::span<const SequenceRun> runs, StridedRows x, StridedRows b,
                     StridedRows c, StridedRows dt, float* out) override {
        recurrence_.state_space(space, runs, x, b, c, dt, out);
    }

    void delta_rule(const DeltaRule& rule, std::span<const SequenceRun> runs, StridedRows query,
                    StridedRows key, StridedRows value, StridedRows step, StridedRows beta,
                    float* out) override {
        recurrence_.delta_rule(rule, runs, query, key, value, step, beta, out);
    }

  private:
    void norm_row(const Norm& norm, const float* gain, const float* bias, const float* x, int dim, float* out,
                  bool accumulate) const {
        if (norm.kind == NormKind::kRms) {
            (accumulate ? kernels_.add_rms_norm : kernels_.rms_norm)(x, gain, dim, norm.eps, out);
        } else {
            (accumulate ? kernels_.add_layer_norm : kernels_.layer_norm)(x, gain, dim, norm.eps, out);
        }
        if (bias) kernels_.add(bias, 1.0f, dim, out);
    }

    // A few rows are faster on the calling thread.
    template <typename F>
    void for_rows(int n, F&& f) {
        if (n < 8) {
            for (int i = 0; i < n; ++i) f(i);
        } else {
            pool_.for_each(n, f);
        }
    }

    // Calls f(row, first element, elements) for whole rows, or for pieces of a single row.
    template <typename F>
    void for_pieces(int n, int dim, F&& f) {
        if (n > 1) return for_rows(n, [&](int i) { f(i, 0, dim); });
        constexpr int kPiece = 512;
        pool_.for_each((dim + kPiece - 1) / kPiece,
                       [&](int i) { f(0, i * kPiece, std::min(kPiece, dim - i * kPiece)); });
    }

    Activations activations_;
    ThreadPool pool_;
    const Kernels& kernels_;
    Attention attention_;
    Experts experts_;
    HeadProducts head_products_;
    Recurrence recurrence_;
    MatmulScratch scratch_;
    PageMemory memory_;
};

}  // namespace
}  // namespace cpu

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
    return std::make_unique<cpu::CpuBackend>(options);
}

}  // namespace kvsplit
