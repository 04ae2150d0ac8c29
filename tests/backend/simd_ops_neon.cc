#define KVSPLIT_ISA_NAMESPACE neon
#define KVSPLIT_ISA_NEON
#include "backend/simd_ops_impl.h"
