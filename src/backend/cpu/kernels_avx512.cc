#define KVSPLIT_ISA_NAMESPACE avx512
#define KVSPLIT_ISA_AVX512
#define KVSPLIT_ISA_ENUM CpuIsa::kAvx512
#include "backend/cpu/kernels_impl.h"
