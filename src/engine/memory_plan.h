// The memory that a model needs in addition to its caches, computed without loading it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "backend/counting_backend.h"
#include "engine/model_impl.h"

namespace kvsplit {

// Reads the file's header, then dry-runs loading and the forward pass on a backend that only counts. All
// figures are bytes.
class MemoryPlan {
  public:
    // Throws Error as Model::load does, except for the weights' contents, which are not read.
    MemoryPlan(const std::string& path, const ModelOptions& options);

    const ModelInfo& info() const { return info_; }
    const CacheGeometry& geometry() const { return geometry_; }

    // The process itself: code, vocabulary and metadata. Measured after reading these; 0 if the system does
    // not report it.
    std::size_t program() const { return program_; }
    // The weights as the kernels need them, and embedding tables if the file is read whole. (Otherwise tables
    // stay in the file, and the system caches what it has room for.)
    std::size_t weights() const { return weights_bytes_ + table_bytes_; }
    // Activations of a batch and a session, scratch memory of the kernels, and a batch's pages until they are
    // sealed, for a cache of up to `context` tokens.
    std::size_t working(int context) const;

  private:
    gguf::File file_;
    ModelDescription description_;
    CacheGeometry geometry_;
    ModelInfo info_;
    std::size_t program_ = 0;
    std::unique_ptr<CountingBackend> backend_;  // outlives the weights
    Weights weights_;
    std::size_t weights_bytes_ = 0;
    std::size_t table_bytes_ = 0;
};

}  // namespace kvsplit
