#define KVSPLIT_ISA_NAMESPACE avxvnni
#define KVSPLIT_ISA_AVX2
#define KVSPLIT_ISA_AVXVNNI
#include "backend/simd_ops_impl.h"
