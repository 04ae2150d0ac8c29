#include "model/tensor_loader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "base/half.h"
#include "base/printable.h"
#include "gguf/blocks.h"

namespace kvsplit {
namespace {

// The layer of "blk.12.attn_q.weight", or -1.
int layer_of(std::string_view name) {
    constexpr std::string_view kPrefix = "blk.";
    int layer = -1;
    if (name.starts_with(kPrefix))
        std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), layer);
    return layer;
}

}  // namespace

TensorLoader::TensorLoader(const gguf::File& file, Backend& backend)
    : file_(file), backend_(backend), used_(file.tensors().size(), false) {}

const gguf::Tensor& TensorLoader::use(const std::string& name) {
    const gguf::Tensor& t = file_.tensor(name);
    used_[static_cast<std::size_t>(&t - file_.tensors().data())] = true;
    return t;
}

std::unique_ptr<WeightMatrix> TensorLoader::matrix(std::int64_t cols, const std::vector<Part>& parts) {
    return experts(cols, parts, 1);
}

std::unique_ptr<WeightMatrix> TensorLoader::experts(std::int64_t cols, const std::vector<Part>& parts,
                                                    int n_experts) {
    std::vector<const gguf::Tensor*> tensors;
    for (const Part& part : parts) {
        const gguf::Tensor& t = use(part.name + ".weight");
        expect_shape(t, cols, part.rows * n_experts);
        tensors.push_back(&t);
    }
    auto loaded = backend_.load_experts(file_, tensors, n_experts);
    // The backend has its own copy, so the file's pages may leave memory.
    for (const gguf::Tensor* t : tensors) file_.release(*t);
    expect_finite(*loaded, tensors, n_experts);
    return loaded;
}

TensorLoader::HeadParts TensorLoader::head_parts(const std::string& name, std::int64_t cols,
                                                 std::int64_t first, std::int64_t second, int n_heads) {
    const gguf::Tensor& t = use(name + ".weight");
    expect_shape(t, cols, (first + second) * n_heads);
    if (!gguf::is_supported(t.type))
        file_.reject(t, fmt::format("type {} is not supported", gguf::type_name(t.type)));
    const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
    // Quantised blocks lie along rows, so a transposed tensor must be dequantised.
    using gguf::TensorType;
    const bool wide = t.type == TensorType::kF32 || t.type == TensorType::kBF16;
    gguf::Tensor keys = t, values = t;
    keys.type = wide ? TensorType::kF32 : TensorType::kF16;
    keys.shape = {first, cols, n_heads, 1};
    values.shape = {cols, second, n_heads, 1};
    std::vector<std::uint8_t> keys_data(size(keys.rows() * keys.row_bytes())), values_data;
    std::vector<float> row(size(cols));
    std::vector<std::uint8_t> scratch;
    const std::int64_t head_bytes = (first + second) * t.row_bytes();
    for (std::int64_t head = 0; head < n_heads; ++head) {
        const std::uint8_t* rows =
            file_.read(t, static_cast<std::uint64_t>(head * head_bytes), size(head_bytes), scratch);
        for (std::int64_t i = 0; i < first; ++i) {
            gguf::dequantize_row(t.type, rows + i * t.row_bytes(), row.data(), cols);
            for (std::int64_t c = 0; c < cols; ++c) {
                std::uint8_t* to = keys_data.data() + (head * cols + c) * keys.row_bytes();
                const float x = row[size(c)];
                if (wide) {
                    std::memcpy(to + i * std::int64_t{sizeof x}, &x, sizeof x);
                } else {
                    const std::uint16_t half = f32_to_f16(x);
                    std::memcpy(to + i * std::int64_t{sizeof half}, &half, sizeof half);
                }
            }
        }
        values_data.insert(values_data.end(), rows + first * t.row_bytes(),
                           rows + (first + second) * t.row_bytes());
    }
    keys.made = keys_data.data();
    keys.bytes = keys_data.size();
    values.made = values_data.data();
    values.bytes = values_data.size();
    const auto load = [&](const gguf::Tensor& part) {
        const gguf::Tensor* one = &part;
        auto loaded = backend_.load_experts(file_, {&one, 1}, n_heads);
        expect_finite(*loaded, {one}, n_heads);
        return loaded;
    };
    HeadParts parts{load(keys), load(values)};
    file_.release(t);
    return parts;
}

std::unique_ptr<FileTable> TensorLoader::table(const std::string& name, std::int64_t rows,
                                               std::int64_t cols) {
    const gguf::Tensor& t = use(name + ".weight");
    expect_shape(t, cols, rows);
    return std::make_unique<FileTable>(file_, t);
}

std::unique_ptr<Buffer> TensorLoader::expert_scale(const std::vector<Part>& parts, int n_experts) {
    const auto has_scale = [&](const Part& part) { return has(part.name + ".scale"); };
    if (std::ranges::none_of(parts, has_scale)) return nullptr;
    auto buffer = backend_.allocate(parts.size() * static_cast<std::size_t>(n_experts));
    for (std::size_t p = 0; p < parts.size(); ++p) {
        std::vector<float> all(static_cast<std::size_t>(n_experts), 1.0f);
        if (has_scale(parts[p])) read(parts[p].name + ".scale", n_experts, all.data());
        for (std::size_t e = 0; e < all.size(); ++e) buffer->data()[e * parts.size() + p] = all[e];
    }
    return buffer;
}

std::unique_ptr<Buffer> TensorLoader::expert_bias(const std::vector<Part>& parts, int n_experts) {
    if (!has(parts[0].name + ".bias")) return nullptr;
    std::int64_t width = 0;  // of one expert
    for (const Part& part : parts) width += part.rows;
    auto buffer = backend_.allocate(static_cast<std::size_t>(width * n_experts));
    float* out = buffer->data();
    for (const Part& part : parts) {
        std::vector<float> all(static_cast<std::size_t>(part.rows * n_experts));
        read(part.name + ".bias", part.rows * n_experts, all.data());
        for (int e = 0; e < n_experts; ++e)
            std::copy_n(all.data() + e * part.rows, part.rows, out + e * width);
        out += part.rows;
    }
    return buffer;
}

float TensorLoader::number(const std::string& tensor) {
    float x = 0;
    read(tensor, 1, &x);
    return x;
}

std::unique_ptr<Buffer> TensorLoader::vector(const std::string& tensor, std::int64_t n) {
    auto buffer = backend_.allocate(static_cast<std::size_t>(n));
    read(tensor, n, buffer->data());
    return buffer;
}

std::unique_ptr<Buffer> TensorLoader::repeated(const std::string& tensor, std::int64_t n,
                                               std::int64_t times) {
    std::vector<float> once(static_cast<std::size_t>(n));
    read(tensor, n, once.data());
    auto buffer = backend_.allocate(static_cast<std::size_t>(n * times));
    for (std::int64_t i = 0; i < n; ++i)
        std::fill_n(buffer->data() + i * times, times, once[static_cast<std::size_t>(i)]);
    return buffer;
}

std::unique_ptr<Buffer> TensorLoader::transposed(const std::string& tensor, std::int64_t rows,
                                                 std::int64_t cols) {
    expect_shape(use(tensor), cols, rows);
    std::vector<float> as_stored(static_cast<std::size_t>(rows * cols));
    read(tensor, rows * cols, as_stored.data());
    auto buffer = backend_.allocate(static_cast<std::size_t>(rows * cols));
    for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < cols; ++j)
            buffer->data()[j * rows + i] = as_stored[static_cast<std::size_t>(i * cols + j)];
    }
    return buffer;
}

Linear TensorLoader::sorted(std::int64_t cols, const std::string& name,
                            const std::vector<std::int64_t>& pieces, int n_groups,
                            const std::vector<Part>& below) {
    const gguf::Tensor& t = use(name + ".weight");
    const std::int64_t group = std::accumulate(pieces.begin(), pieces.end(), std::int64_t{0});
    expect_shape(t, cols, group * n_groups);
    std::vector<gguf::Tensor> views;
    std::int64_t before = 0;  // of a group's rows
    for (const std::int64_t rows : pieces) {
        for (int g = 0; g < n_groups; ++g) {
            gguf::Tensor view = t;
            view.shape = {cols, rows, 1, 1};
            view.file_offset += static_cast<std::uint64_t>((g * group + before) * t.row_bytes());
            view.bytes = static_cast<std::uint64_t>(rows * t.row_bytes());
            views.push_back(std::move(view));
        }
        before += rows;
    }
    std::vector<const gguf::Tensor*> tensors;
    for (const gguf::Tensor& view : views) tensors.push_back(&view);
    for (const Part& part : below) {
        tensors.push_back(&use(part.name + ".weight"));
        expect_shape(*tensors.back(), cols, part.rows);
    }
    Linear linear{backend_.load(file_, tensors), nullptr, {}};
    for (const gguf::Tensor* tensor : tensors) file_.release(*tensor);
    expect_finite(*linear.matrix, tensors, 1);
    return linear;
}

Linear TensorLoader::linear(std::int64_t cols, const std::vector<Part>& parts) {
    return {matrix(cols, parts), bias("", parts), scales(parts)};
}

Linear TensorLoader::linear(std::int64_t cols, const std::string& whole, const std::vector<Part>& parts) {
    std::int64_t rows = 0;
    for (const Part& part : parts) rows += part.rows;
    const bool fused = has(whole + ".weight");
    const std::vector<Part> stored = fused ? std::vector<Part>{{whole, rows}} : parts;
    return {matrix(cols, stored), bias(whole, parts), scales(stored)};
}

std::vector<PartScale> TensorLoader::scales(const std::vector<Part>& parts) {
    std::vector<PartScale> scales;
    bool any = false;
    for (const Part& part : parts) {
        scales.push_back({static_cast<int>(part.rows), 1.0f});
        if (!has(part.name + ".scale")) continue;
        any = true;
        read(part.name + ".scale", 1, &scales.back().factor);
    }
    return any ? scales : std::vector<PartScale>{};
}

std::unique_ptr<Buffer> TensorLoader::bias(const std::string& whole, const std::vector<Part>& parts) {
    std::int64_t n = 0;
    bool any = false;
    for (const Part& part : parts) {
        n += part.rows;
        any |= has(part.name + ".bias");
    }
    const bool fused = has(whole + ".bias");
    if (!fused && !any) return nullptr;
    auto buffer = backend_.allocate(static_cast<std::size_t>(n));
    float* out = buffer->data();
    if (fused) {
        read(whole + ".bias", n, out);
        return buffer;
    }
    for (const Part& part : parts) {
        if (has(part.name + ".bias")) {
            read(part.name + ".bias", part.rows, out);
        } else {
            std::fill_n(out, part.rows, 0.0f);
        }
        out += part.rows;
    }
    return buffer;
}

NormWeights TensorLoader::norm(const std::string& name, std::int64_t n) {
    NormWeights norm;
    norm.gain = vector(has(name) ? name : name + ".weight", n);  // Falcon-H1 shortens some names
    if (has(name + ".bias")) norm.bias = vector(name + ".bias", n);
    return norm;
}

NormWeights TensorLoader::bare_norm(std::int64_t n) {
    NormWeights norm;
    norm.gain = backend_.allocate(static_cast<std::size_t>(n));
    std::fill_n(norm.gain->data(), n, 1.0f);
    return norm;
}

void TensorLoader::read(const std::string& name, std::int64_t n, float* out) {
    const gguf::Tensor& t = use(name);
    if (t.elements() != n) {
        file_.reject(t, fmt::format("has {} numbers, the model's metadata asks for {}", t.elements(), n));
    }
    if (!gguf::is_supported(t.type))
        file_.reject(t, fmt::format("type {} is not supported", gguf::type_name(t.type)));
    const std::vector<std::uint8_t> data = file_.data(t);
    for (std::int64_t row = 0; row < t.rows(); ++row) {
        gguf::dequantize_row(t.type, data.data() + row * t.row_bytes(), out + row * t.shape[0], t.shape[0]);
    }
    if (!std::all_of(out, out + n, [](float x) { return std::isfinite(x); }))
        file_.reject(t, "has a number that is not finite");
}

void TensorLoader::expect_shape(const gguf::Tensor& t, std::int64_t cols, std::int64_t rows) const {
    if (t.shape[0] != cols || t.rows() != rows) {
        file_.reject(t, fmt::format("has shape {} x {}, the model's metadata asks for {} x {}", t.shape[0],
                                    t.rows(), cols, rows));
    }
}

// Multiplies with a row of ones: a row's sum is finite only if all its weights are. Costs about as much as
// the weights do in decoding one token, whatever their type.
void TensorLoader::expect_finite(const WeightMatrix& matrix, const std::vector<const gguf::Tensor*>& tensors,
                                 int n_experts) {
    const auto ones = backend_.allocate(static_cast<std::size_t>(matrix.cols()));
    const auto sums = backend_.allocate(static_cast<std::size_t>(matrix.rows()));
    std::fill_n(ones->data(), matrix.cols(), 1.0f);
    std::fill_n(sums->data(), matrix.rows(), 0.0f);
    backend_.matmul(matrix, ones->data(), 1, sums->data(), false);
    const float* sum = sums->data();
    for (int e = 0; e < n_experts; ++e) {
        for (const gguf::Tensor* t : tensors) {
            const std::int64_t rows = t->rows() / n_experts;
            for (std::int64_t i = 0; i < rows; ++i, ++sum) {
                if (!std::isfinite(*sum))
                    file_.reject(*t, fmt::format("row {} has a weight that is not finite", e * rows + i));
            }
        }
    }
}

void TensorLoader::require_all_used(int n_layers) const {
    for (std::size_t i = 0; i < used_.size(); ++i) {
        const gguf::Tensor& t = file_.tensors()[i];
        if (used_[i] || layer_of(t.name) >= n_layers) continue;
        if (t.name.starts_with("rope_")) continue;  // read where the rotation is described
        // Of activations, for processors that compute with 4-bit ones.
        if (t.name.ends_with(".input_scale")) continue;
        fail(ErrorCode::kUnsupported,
             "{}: tensor '{}' is unknown for architecture '{}'; the file may be newer than this build",
             file_.path(), printable(t.name), printable(file_.get_string("general.architecture")));
    }
}

}  // namespace kvsplit
