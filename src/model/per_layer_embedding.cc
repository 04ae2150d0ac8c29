#include "model/per_layer_embedding.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "gguf/blocks.h"

namespace kvsplit {
namespace {

int width_of_all(const ModelDescription& d) { return d.n_layers * d.n_embd_per_layer; }

}  // namespace

FileTable::FileTable(const gguf::File& file, const gguf::Tensor& tensor) : file_(file), tensor_(tensor) {
    if (!gguf::is_supported(tensor.type))
        file.reject(tensor, fmt::format("type {} is not supported", gguf::type_name(tensor.type)));
}

void FileTable::read(std::span<const Token> rows, float* out) const {
    const std::int64_t cols = tensor_.shape[0];
    for (const Token row : rows) {
        gguf::dequantize_row(tensor_.type, tensor_.data.data() + row * tensor_.row_bytes(), out, cols);
        // Checked here, since checking at load would read the whole table.
        if (!std::all_of(out, out + cols, [](float x) { return std::isfinite(x); }))
            file_.reject(tensor_, fmt::format("row {} has a number that is not finite", row));
        out += cols;
    }
}

PerLayerWorkspace::PerLayerWorkspace(Backend& backend, const ModelDescription& d, int max_tokens) {
    const auto rows_of = [&](int width) {
        return backend.allocate(static_cast<std::size_t>(max_tokens) * static_cast<std::size_t>(width));
    };
    inputs = rows_of(width_of_all(d));
    rows = rows_of(width_of_all(d));
    input = rows_of(d.n_embd_per_layer);
    gate = rows_of(d.n_embd_per_layer);
}

void make_layer_inputs(Backend& backend, const ModelDescription& d, const PerLayerEmbedding& w,
                       std::span<const Token> tokens, const float* x, PerLayerWorkspace& ws) {
    const int n = static_cast<int>(tokens.size()), all = width_of_all(d);
    float *inputs = ws.inputs->data(), *rows = ws.rows->data();
    w.table->read(tokens, rows);
    w.projection.multiply(backend, x, n, inputs);
    backend.scale(1.0f / std::sqrt(static_cast<float>(d.n_embd)), n, all, inputs);
    const Norm norm{d.norm, d.norm_eps, data_or_null(w.norm.gain), data_or_null(w.norm.bias)};
    backend.norm(norm, inputs, n * d.n_layers, d.n_embd_per_layer, inputs, false);
    backend.add(rows, std::sqrt(static_cast<float>(d.n_embd_per_layer)), n, all, inputs);
    backend.scale(1.0f / std::numbers::sqrt2_v<float>, n, all, inputs);
}

const float* gated_layer_input(Backend& backend, const ModelDescription& d, const LayerInput& w, int layer,
                               const float* x, int n, PerLayerWorkspace& ws) {
    const int width = d.n_embd_per_layer;
    float *input = ws.input->data(), *gate = ws.gate->data();
    w.gate.multiply(backend, x, n, gate);
    backend.copy_heads(ws.inputs->data() + layer * width, {width_of_all(d), width}, n, 1, width, input,
                       {width, width});
    backend.gate(d.activation, {gate, width}, n, width, input, width);
    return input;
}

}  // namespace kvsplit
