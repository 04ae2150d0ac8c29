// A backend that computes nothing and counts: what the CPU backend would hold after the same calls.
//
// A dry run of the model's own loading and forward pass then says what memory they take, for every
// architecture and without a list of what they allocate that could grow stale.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace kvsplit {

// Bytes that a backend holds.
struct BackendMemory {
    std::size_t weights = 0;  // matrices in the order of the kernels
    std::size_t buffers = 0;  // what allocate() gave and is still there
    std::size_t scratch = 0;  // its own working memory, at its largest so far

    std::size_t total() const { return weights + buffers + scratch; }
};

// Buffers get memory when somebody asks for their data; matrices never do. Weights that the CPU
// backend would refuse are refused. Caches are not touched.
class CountingBackend : public Backend {
  public:
    virtual BackendMemory memory() const = 0;
    // scratch begins at 0 again.
    virtual void forget_scratch() = 0;
};

// Of options.threads threads, as the CPU backend would have them.
std::unique_ptr<CountingBackend> make_counting_cpu_backend(const CpuOptions& options);

}  // namespace kvsplit
