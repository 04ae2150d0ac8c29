#define KVSPLIT_ISA_NAMESPACE avxvnni
#define KVSPLIT_ISA_AVX2
#define KVSPLIT_ISA_AVXVNNI
#define KVSPLIT_ISA_ENUM CpuIsa::kAvxVnni
#include "backend/cpu/kernels_impl.h"
