// The CPU backend: kernels of the best instruction set, one team of threads.
#include <fmt/format.h>

#include <cmath>

#include "backend/backend.h"
#include "backend/cpu/attention.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/load_matrix.h"
#include "backend/cpu/matmul.h"
#include "base/check.h"
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
          pool_(options.threads > 0 ? options.threads : physical_cores()),
          kernels_(kernels(choose_isa())),
          attention_(pool_, kernels_) {}

    std::string description() const override {
        return fmt::format("cpu {}, {} thread{}", isa_name(kernels_.isa), pool_.size(),
                           pool_.size() == 1 ? "" : "s");
    }
    PageMemory page_memory() override { return memory_; }
    std::unique_ptr<Buffer> allocate(std::size_t floats) override {
        return std::make_unique<CpuBuffer>(floats);
    }

    std::unique_ptr<WeightMatrix> load(const gguf::File& file,
                                       std::span<const gguf::Tensor* const> tensors) override {
        return std::make_unique<CpuMatrix>(
            load_matrix(file, tensors, [&](std::span<const WeightSource> sources, std::int64_t cols) {
                return PackedMatrix::pack(pool_, sources, cols, activations_);
            }));
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

    void rms_norm(const float* x, const float* gain, float eps, int n, int dim, float* out,
                  bool accumulate) override {
        const auto norm = accumulate ? kernels_.add_rms_norm : kernels_.rms_norm;
        for_rows(n, [&](int i) {
            const auto at = static_cast<std::ptrdiff_t>(i) * dim;
            norm(x + at, gain, dim, eps, out + at);
        });
    }

    void gated_activation(Activation f, const float* gate_up, int n, int dim, float* out) override {
        const auto gated = f == Activation::kSilu ? kernels_.silu_mul : kernels_.gelu_tanh_mul;
        if (n == 1) {  // one row: in pieces
            constexpr int kPiece = 512;
            pool_.for_each((dim + kPiece - 1) / kPiece, [&](int i) {
                const int at = i * kPiece;
                gated(gate_up + at, gate_up + dim + at, std::min(kPiece, dim - at), out + at);
            });
            return;
        }
        for_rows(n, [&](int i) {
            const float* row = gate_up + static_cast<std::ptrdiff_t>(i) * 2 * dim;
            gated(row, row + dim, dim, out + static_cast<std::ptrdiff_t>(i) * dim);
        });
    }

    void attention(const AttentionParams& params, std::span<const SequenceRun> runs, const float* qkv, int n,
                   float* out) override {
        attention_.run(params, runs, qkv, n, out);
    }

  private:
    // A few rows are quicker done here than handed out.
    template <typename F>
    void for_rows(int n, F&& f) {
        if (n < 8) {
            for (int i = 0; i < n; ++i) f(i);
        } else {
            pool_.for_each(n, f);
        }
    }

    Activations activations_;
    ThreadPool pool_;
    const Kernels& kernels_;
    Attention attention_;
    MatmulScratch scratch_;
    PageMemory memory_;
};

}  // namespace
}  // namespace cpu

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
    return std::make_unique<cpu::CpuBackend>(options);
}

}  // namespace kvsplit
