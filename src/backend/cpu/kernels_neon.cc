#define KVSPLIT_ISA_NAMESPACE neon
#define KVSPLIT_ISA_NEON
#define KVSPLIT_ISA_ENUM CpuIsa::kNeon
#include "backend/cpu/kernels_impl.h"
