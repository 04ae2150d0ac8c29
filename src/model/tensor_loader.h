// TensorLoader: loads named tensors of a file into a backend's memory and checks them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/weights.h"

namespace kvsplit {

// The file and the backend must outlive it. Everything throws Error naming the file and the tensor: kFormat
// if it is absent, has another shape, or holds numbers that are not finite; kUnsupported for its type.
class TensorLoader {
  public:
    TensorLoader(const gguf::File& file, Backend& backend);

    struct Part {
        std::string name;  // of the tensor, without ".weight" or ".bias"
        std::int64_t rows;
    };

    // The parts stacked by rows.
    std::unique_ptr<WeightMatrix> matrix(std::int64_t cols, const std::vector<Part>& parts);
    // The same, with the biases of the parts that have one.
    Linear linear(std::int64_t cols, const std::vector<Part>& parts);
    // The parts, or one tensor `whole` that holds all of them.
    Linear linear(std::int64_t cols, const std::string& whole, const std::vector<Part>& parts);
    // A tensor with `pieces` (their rows) for each of n_groups, reordered: the first piece of all groups, the
    // second, ..., then the parts `below`.
    Linear sorted(std::int64_t cols, const std::string& name, const std::vector<std::int64_t>& pieces,
                  int n_groups, const std::vector<Part>& below);
    // Parts, each with its rows per expert, as Backend::load_experts stacks them.
    std::unique_ptr<WeightMatrix> experts(std::int64_t cols, const std::vector<Part>& parts, int n_experts);
    // For a tensor with rows [first | second] for each of n_heads, two matrices per head: its first rows,
    // transposed to (cols, first), and its second rows (second, cols).
    struct HeadParts {
        std::unique_ptr<WeightMatrix> first_transposed, second;
    };
    HeadParts head_parts(const std::string& name, std::int64_t cols, std::int64_t first, std::int64_t second,
                         int n_heads);
    // A tensor whose rows stay in the file.
    std::unique_ptr<FileTable> table(const std::string& name, std::int64_t rows, std::int64_t cols);
    // Scales (n_experts, parts) of the results of each part's rows, or null.
    std::unique_ptr<Buffer> expert_scale(const std::vector<Part>& parts, int n_experts);
    // The parts' biases, stacked like the rows, or null.
    std::unique_ptr<Buffer> expert_bias(const std::vector<Part>& parts, int n_experts);
    NormWeights norm(const std::string& name, std::int64_t n);
    // A norm whose gains are all 1.
    NormWeights bare_norm(std::int64_t n);
    // The value of a one-element tensor; `tensor` is its full name.
    float number(const std::string& tensor);
    // The n numbers of a tensor.
    std::unique_ptr<Buffer> vector(const std::string& tensor, std::int64_t n);
    // The n numbers of a tensor, each repeated `times` times.
    std::unique_ptr<Buffer> repeated(const std::string& tensor, std::int64_t n, std::int64_t times);
    // A tensor (rows, cols), transposed to (cols, rows).
    std::unique_ptr<Buffer> transposed(const std::string& tensor, std::int64_t rows, std::int64_t cols);

    bool has(const std::string& tensor) const { return file_.find_tensor(tensor) != nullptr; }
    // Throws Error(kUnsupported) if a tensor was not loaded, except those of layers from n_layers on.
    void require_all_used(int n_layers) const;

  private:
    const gguf::Tensor& use(const std::string& name);
    std::unique_ptr<Buffer> bias(const std::string& whole, const std::vector<Part>& parts);
    std::vector<PartScale> scales(const std::vector<Part>& parts);
    void read(const std::string& name, std::int64_t n, float* out);
    void expect_shape(const gguf::Tensor& t, std::int64_t cols, std::int64_t rows) const;
    void expect_finite(const WeightMatrix& matrix, const std::vector<const gguf::Tensor*>& tensors,
                       int n_experts);

    const gguf::File& file_;
    Backend& backend_;
    std::vector<bool> used_;  // one per tensor of file_.tensors()
};

}  // namespace kvsplit
