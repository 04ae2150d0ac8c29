#define KVSPLIT_ISA_NAMESPACE avx2
#define KVSPLIT_ISA_AVX2
#define KVSPLIT_ISA_ENUM CpuIsa::kAvx2
#include "backend/cpu/kernels_impl.h"
