// How the CPU and the counting backend interpret options and files.
#pragma once

#include <span>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/packed_matrix.h"
#include "base/error.h"
#include "gguf/gguf.h"

namespace kvsplit::cpu {

inline Activations activations_of(const CpuOptions& options) {
    return options.activation_bits == 32   ? Activations::kF32
           : options.activation_bits == 16 ? Activations::kInt16
                                           : Activations::kInt8;
}

// Returns make(sources, cols) for tensors of equal width. Each has equally many rows for each of n_parts; the
// sources are all tensors' rows of the first part, then of the next. Errors name the file and the tensor.
template <typename Make>
PackedMatrix load_matrix(const gguf::File& file, std::span<const gguf::Tensor* const> tensors, int n_parts,
                         Make make) {
    std::vector<WeightSource> sources;
    for (const gguf::Tensor* t : tensors) {
        if (!can_pack(t->type)) {
            file.reject(*t, fmt::format("weight type {} cannot be computed with", gguf::type_name(t->type)));
        }
    }
    for (int part = 0; part < n_parts; ++part) {
        for (const gguf::Tensor* t : tensors) {
            const std::int64_t rows = t->rows() / n_parts;
            const auto bytes = static_cast<std::size_t>(rows * t->row_bytes());
            sources.push_back({t->type,
                               {},
                               rows,
                               [&file, t, begin = static_cast<std::size_t>(part) * bytes](
                                   std::size_t first, std::size_t n, std::vector<std::uint8_t>& scratch) {
                                   return file.read(*t, begin + first, n, scratch);
                               }});
        }
    }
    try {
        return make(sources, tensors[0]->shape[0]);
    } catch (const Error& e) {
        if (e.code() == ErrorCode::kIo) throw;  // which names the file
        throw Error(e.code(), fmt::format("{}: tensor '{}': {}", file.path(), tensors[0]->name, e.what()));
    }
}

}  // namespace kvsplit::cpu
