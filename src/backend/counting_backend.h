// A backend that computes nothing and counts the memory that the CPU backend would hold after the same calls.
//
// A dry run of loading and of the forward pass thus tells their memory, for every architecture, without a
// separate list of allocations that could grow stale.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace kvsplit {

// Bytes that a backend holds.
struct BackendMemory {
    std::size_t weights = 0;  // matrices, as packed for the kernels
    std::size_t buffers = 0;  // live results of allocate()
    std::size_t scratch = 0;  // its own working memory, at its largest so far

    std::size_t total() const { return weights + buffers + scratch; }
};

// Buffers get memory when somebody asks for their data; matrices never do. Weights that the CPU
// backend would refuse are refused. Caches are not touched.
class CountingBackend : public Backend {
  public:
    virtual BackendMemory memory() const = 0;
    // Resets scratch to 0.
    virtual void forget_scratch() = 0;
};

// Counts for the CPU backend with the same options.
std::unique_ptr<CountingBackend> make_counting_cpu_backend(const CpuOptions& options);

}  // namespace kvsplit
