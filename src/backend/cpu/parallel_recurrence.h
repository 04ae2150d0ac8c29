// The recurrences of Backend on the CPU: distributes sequences and blocks of channels over threads.
#pragma once

#include <span>

#include "backend/backend.h"
#include "backend/cpu/kernels.h"
#include "base/thread_pool.h"

namespace kvsplit::cpu {

// Has no working memory. Arguments as in Backend.
class Recurrence {
  public:
    Recurrence(ThreadPool& pool, const Kernels& kernels) : pool_(pool), kernels_(kernels.recurrence) {}

    void convolve(const Convolution& c, std::span<const SequenceRun> runs, StridedRows x, float* out);
    void state_space(const StateSpace& s, std::span<const SequenceRun> runs, StridedRows x, StridedRows b,
                     StridedRows c, StridedRows dt, float* out);
    void delta_rule(const DeltaRule& d, std::span<const SequenceRun> runs, StridedRows query, StridedRows key,
                    StridedRows value, StridedRows step, StridedRows beta, float* out);

  private:
    ThreadPool& pool_;
    const RecurrenceKernels& kernels_;
};

}  // namespace kvsplit::cpu
