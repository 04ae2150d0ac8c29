#define KVSPLIT_ISA_NAMESPACE avx2
#define KVSPLIT_ISA_AVX2
#include "backend/simd_ops_impl.h"
