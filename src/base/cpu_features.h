// What the processor can do, and which kernel set to use.
#pragma once

#include <string>
#include <string_view>

namespace kvsplit {

enum class CpuIsa { kPortable = 0, kAvx2 = 1, kAvx512 = 2 };  // kAvx512: F, BW, DQ, VL, VBMI and VNNI

std::string_view isa_name(CpuIsa isa);  // "portable", "avx2", "avx512"

// The best set that both this build and this processor have.
CpuIsa detect_isa();

// detect_isa(), or the lower one that the environment variable KVSPLIT_CPU names. Throws Error for an unknown
// name or one that the processor lacks.
CpuIsa choose_isa();

// Physical cores that this process may run on (affinity and container limits respected), at least 1.
int physical_cores();

std::string cpu_model_name();

}  // namespace kvsplit
