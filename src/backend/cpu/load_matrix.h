// What the real and the counting backend make of options and files.
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

// make(sources, cols) of the tensors, which have the same width. Errors name the file and the tensor.
template <typename Make>
PackedMatrix load_matrix(const gguf::File& file, std::span<const gguf::Tensor* const> tensors, Make make) {
    std::vector<WeightSource> sources;
    for (const gguf::Tensor* t : tensors) {
        if (!can_pack(t->type)) {
            file.reject(*t, fmt::format("weight type {} cannot be computed with", gguf::type_name(t->type)));
        }
        sources.push_back({t->type, t->data, t->rows()});
    }
    try {
        return make(sources, tensors[0]->shape[0]);
    } catch (const Error& e) {
        throw Error(e.code(), fmt::format("{}: tensor '{}': {}", file.path(), tensors[0]->name, e.what()));
    }
}

}  // namespace kvsplit::cpu
