// TensorLoader: named tensors of a file into a backend's memory, checked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/weights.h"

namespace kvsplit {

// The file and the backend must outlive it. Everything throws Error naming the file and the tensor: kFormat
// for one that is absent, of another shape, or holds numbers that are not finite; kUnsupported for a type.
class TensorLoader {
  public:
    TensorLoader(const gguf::File& file, Backend& backend);

    struct Part {
        std::string name;  // of the tensor, without ".weight" or ".bias"
        std::int64_t rows;
    };

    // The parts stacked by rows.
    std::unique_ptr<WeightMatrix> matrix(std::int64_t cols, const std::vector<Part>& parts);
    // Likewise, with the parts' biases where any has one.
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
    // Their biases, stacked likewise, or null.
    std::unique_ptr<Buffer> expert_bias(const std::vector<Part>& parts, int n_experts);
    NormWeights norm(const std::string& name, std::int64_t n);
    // Gains of one.
    NormWeights bare_norm(std::int64_t n);
    // The one number of the tensor of exactly this name.
    float number(const std::string& tensor);
    // Its n numbers.
    std::unique_ptr<Buffer> vector(const std::string& tensor, std::int64_t n);
    // Each of its n numbers, repeated `times` times.
    std::unique_ptr<Buffer> repeated(const std::string& tensor, std::int64_t n, std::int64_t times);
    // (cols, rows) of a tensor of `rows` rows of `cols` numbers.
    std::unique_ptr<Buffer> transposed(const std::string& tensor, std::int64_t rows, std::int64_t cols);

    bool has(const std::string& tensor) const { return file_.find_tensor(tensor) != nullptr; }
    // Throws Error(kUnsupported) where a tensor was not loaded, but for those of layers from n_layers on.
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
    std::vector<bool> used_;  // of file_.tensors()
};

}  // namespace kvsplit
