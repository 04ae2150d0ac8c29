#define KVSPLIT_ISA_NAMESPACE portable
#define KVSPLIT_ISA_PORTABLE
#include "backend/simd_ops_impl.h"
