#define KVSPLIT_ISA_NAMESPACE i8mm
#define KVSPLIT_ISA_NEON
#define KVSPLIT_ISA_I8MM
#define KVSPLIT_ISA_ENUM CpuIsa::kI8mm
#include "backend/cpu/kernels_impl.h"
