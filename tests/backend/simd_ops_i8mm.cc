#define KVSPLIT_ISA_NAMESPACE i8mm
#define KVSPLIT_ISA_NEON
#define KVSPLIT_ISA_I8MM
#include "backend/simd_ops_impl.h"
