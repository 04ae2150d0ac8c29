// The processor's features, and the kernel set to use.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvsplit {

// kAvx2 includes FMA and F16C; kAvxVnni adds 256-bit VNNI. kAvx512: F, BW, DQ, VL, VBMI, VBMI2 and VNNI.
// kNeon includes the dot products of ARMv8.2 (DotProd); kI8mm adds I8MM.
enum class CpuIsa { kPortable, kAvx2, kAvxVnni, kAvx512, kNeon, kI8mm };

std::string_view isa_name(CpuIsa isa);  // "portable", "avx2", "avxvnni", "avx512", "neon", "i8mm"

// The kernel sets in this build that this processor can run, from the portable one to the best.
const std::vector<CpuIsa>& available_isas();

// The best of them.
CpuIsa detect_isa();

// detect_isa(), or the set named by the environment variable KVSPLIT_CPU. Throws Error if it is unknown or
// the processor cannot run it.
CpuIsa choose_isa();

// Physical cores that this process may run on (affinity and container limits respected), at least 1.
int physical_cores();

// As the system reports it, or "unknown".
std::string cpu_model_name();

}  // namespace kvsplit
