#define KVSPLIT_ISA_NAMESPACE portable
#define KVSPLIT_ISA_PORTABLE
#define KVSPLIT_ISA_ENUM CpuIsa::kPortable
#include "backend/cpu/kernels_impl.h"
