// Counts with the functions by which the parts of the CPU backend size themselves.
#include "backend/counting_backend.h"

#include <algorithm>
#include <memory>

#include "backend/cpu/attention.h"
#include "backend/cpu/experts.h"
#include "backend/cpu/head_products.h"
#include "backend/cpu/load_matrix.h"
#include "backend/cpu/matmul.h"
#include "base/cpu_features.h"
#include "base/default_threads.h"

namespace kvsplit {
namespace cpu {
namespace {

class CountedBuffer final : public Buffer {
  public:
    CountedBuffer(std::size_t floats, BackendMemory& memory) : size_(floats), memory_(memory) {
        memory_.buffers += bytes();
    }
    ~CountedBuffer() override { memory_.buffers -= bytes(); }
    CountedBuffer(const CountedBuffer&) = delete;
    CountedBuffer& operator=(const CountedBuffer&) = delete;

    float* data() override {
        if (!data_) data_ = std::make_unique_for_overwrite<float[]>(size_);
        return data_.get();
    }
    std::size_t size() const override { return size_; }

  private:
    std::size_t bytes() const { return size_ * sizeof(float); }

    std::size_t size_;
    BackendMemory& memory_;
    std::unique_ptr<float[]> data_;
};

class CountedMatrix final : public WeightMatrix {
  public:
    CountedMatrix(PackedMatrix planned, BackendMemory& memory) : packed(std::move(planned)), memory_(memory) {
        memory_.weights += bytes();
    }
    ~CountedMatrix() override { memory_.weights -= bytes(); }
    CountedMatrix(const CountedMatrix&) = delete;
    CountedMatrix& operator=(const CountedMatrix&) = delete;

    int rows() const override { return packed.rows(); }
    int cols() const override { return packed.cols(); }
    std::size_t bytes() const override { return packed.bytes(); }
    PackedMatrix packed;

  private:
    BackendMemory& memory_;
};

class CountingCpuBackend final : public CountingBackend {
  public:
    explicit CountingCpuBackend(const CpuOptions& options)
        : activations_(activations_of(options)),
          threads_(options.threads > 0 ? options.threads : default_threads()) {}

    BackendMemory memory() const override {
        BackendMemory all = memory_;
        all.scratch = matmul_.total() + attention_.total(threads_) + states_ + experts_ + head_products_;
        return all;
    }

    void forget_scratch() override {
        matmul_ = {};
        attention_ = {};
        states_ = 0;
        experts_ = 0;
        head_products_ = 0;
    }

    std::string description() const override { return "counting"; }
    int threads() const override { return threads_; }
    PageMemory page_memory() override { return pages_; }
    std::unique_ptr<Buffer> allocate(std::size_t floats) override {
        return std::make_unique<CountedBuffer>(floats, memory_);
    }
    std::unique_ptr<WeightMatrix> load(const gguf::File& file,
                                       std::span<const gguf::Tensor* const> tensors) override {
        return load_experts(file, tensors, 1);
    }
    std::unique_ptr<WeightMatrix> load_experts(const gguf::File& file,
                                               std::span<const gguf::Tensor* const> tensors,
                                               int n_experts) override {
        const auto plan = [&](std::span<const WeightSource> sources, std::int64_t cols) {
            return PackedMatrix::plan(sources, cols, activations_);
        };
        return std::make_unique<CountedMatrix>(load_matrix(file, tensors, n_experts, plan), memory_);
    }

    void embed(const WeightMatrix&, std::span<const Token>, float, float*) override {}
    void matmul(const WeightMatrix& w, const float*, int n, float*, bool) override {
        const auto needed = MatmulScratch::needed(packed(w), n);
        matmul_.quantized = std::max(matmul_.quantized, needed.quantized);
        matmul_.floats = std::max(matmul_.floats, needed.floats);
    }
    void matmul_heads(const WeightMatrix& w, const float*, HeadStrides, int n, float*, HeadStrides) override {
        head_products_ = std::max(head_products_, HeadProducts::needed(packed(w), n));
    }
    void copy_heads(const float*, HeadStrides, int, int, int, float*, HeadStrides) override {}
    void experts(const Mixture& m, const float*, const float*, int n, float*) override {
        experts_ = std::max(experts_, Experts::needed({m, packed(*m.up), packed(*m.down)}, n));
    }
    void norm(const Norm&, const float*, int, int, float*, bool) override {}
    void norm_heads(const Norm&, float*, std::ptrdiff_t, int, int, int) override {}
    void gated_activation(Activation, const float*, int, int, float*) override {}
    void xielu(const Xielu&, int, int, float*) override {}
    void gate(Activation, StridedRows, int, int, float*, std::ptrdiff_t) override {}
    void activation(Activation, int, int, float*) override {}
    void add(const float*, float, int, int, float*) override {}
    void add_gated(const float*, const float*, int, int, float*) override {}
    void add_bias(const float*, int, int, float*) override {}
    void scale(float, int, int, float*) override {}
    void scale_rows(const float*, int, int, float*) override {}
    void scale_parts(std::span<const PartScale>, int, int, float*) override {}
    void clamp(float, int, int, float*) override {}
    void soft_cap(float, int, int, float*) override {}
    void attention(const AttentionParams& params, std::span<const SequenceRun> runs, const float*, int n,
                   float*) override {
        const int tile_tokens = std::min(n, codec::kPageTokens);
        attention_.grow_to(Attention::needed(params, n, tile_tokens * params.n_heads / params.n_kv_heads));
        if (n == 1) states_ = std::max(states_, Attention::split_states(params, runs[0].cache->length()));
    }
    void softplus(StridedRows, const float*, int, int, float*) override {}
    void convolve(const Convolution&, std::span<const SequenceRun>, StridedRows, float*) override {}
    void state_space(const StateSpace&, std::span<const SequenceRun>, StridedRows, StridedRows, StridedRows,
                     StridedRows, float*) override {}
    void delta_rule(const DeltaRule&, std::span<const SequenceRun>, StridedRows, StridedRows, StridedRows,
                    StridedRows, StridedRows, float*) override {}

  private:
    static const PackedMatrix& packed(const WeightMatrix& w) {
        return static_cast<const CountedMatrix&>(w).packed;
    }

    Activations activations_;
    int threads_;
    PageMemory pages_;
    BackendMemory memory_;
    MatmulScratch::Size matmul_;
    Attention::Scratch attention_;
    std::size_t states_ = 0;
    std::size_t experts_ = 0;
    std::size_t head_products_ = 0;
};

}  // namespace
}  // namespace cpu

std::unique_ptr<CountingBackend> make_counting_cpu_backend(const CpuOptions& options) {
    return std::make_unique<cpu::CountingCpuBackend>(options);
}

}  // namespace kvsplit
