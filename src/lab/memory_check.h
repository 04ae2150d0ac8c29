// Checks whether a model and its cache fit into memory, before they are loaded.
#pragma once

#include <cstddef>
#include <string>

#include "kvsplit/kv_spec.h"
#include "kvsplit/model.h"

namespace kvsplit::lab {

struct MemoryDemand {
    KvSpec spec;
    int context = 0;  // tokens that the cache must hold; 0: as many as there is room for, at least one page
    ModelOptions model;
    std::size_t program = 0;  // as in PlanOptions
};

// Reads only the header of the file. Returns a message for the user: "", or that the cache of the model's
// whole context would not fit. Throws Error: kOutOfMemory, with the sum and with what would fit into the
// `available` bytes; otherwise like Model::load.
std::string check_memory(const std::string& path, const MemoryDemand& demand, std::size_t available);

}  // namespace kvsplit::lab
