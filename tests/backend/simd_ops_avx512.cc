#define KVSPLIT_ISA_NAMESPACE avx512
#define KVSPLIT_ISA_AVX512
#include "backend/simd_ops_impl.h"
