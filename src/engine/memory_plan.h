// What a model takes in memory besides its caches, worked out without loading it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "backend/counting_backend.h"
#include "engine/model_impl.h"

namespace kvsplit {

// Reads the file's header and makes a dry run of loading and of the forward pass on a backend that only
// counts. All figures are bytes.
class MemoryPlan {
  public:
    // Throws Error as Model::load does, but for contents of the weights, which are not read.
    MemoryPlan(const std::string& path, const ModelOptions& options);

    const ModelInfo& info() const { return info_; }
    const CacheGeometry& geometry() const { return geometry_; }

    // The process itself: code, vocabulary and metadata. Measured, when they had been read; 0 where the
    // system does not tell.
    std::size_t program() const { return program_; }
    // The weights in the order of the kernels, and tables of a file that is in memory. (Others stay in the
    // file, of which the system keeps what it has room for.)
    std::size_t weights() const { return weights_bytes_ + table_bytes_; }
    // Activations of a batch and of a session, scratch memory of the kernels, and the pages of a batch that
    // wait for being sealed, when the cache goes up to `context` tokens.
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
