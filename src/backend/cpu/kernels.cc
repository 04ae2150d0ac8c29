#include "backend/cpu/kernels.h"

#include <algorithm>

#include "base/check.h"

namespace kvsplit::cpu {
namespace portable {
extern const Kernels table;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Kernels table;
}
namespace avxvnni {
extern const Kernels table;
}
namespace avx512 {
extern const Kernels table;
}
#elif defined(__aarch64__)
namespace neon {
extern const Kernels table;
}
namespace i8mm {
extern const Kernels table;
}
#endif

const Kernels& kernels(CpuIsa isa) {
    KVSPLIT_CHECK(std::ranges::count(available_isas(), isa) == 1);
    switch (isa) {
#if defined(__x86_64__)
        case CpuIsa::kAvx512:
            return avx512::table;
        case CpuIsa::kAvxVnni:
            return avxvnni::table;
        case CpuIsa::kAvx2:
            return avx2::table;
#elif defined(__aarch64__)
        case CpuIsa::kI8mm:
            return i8mm::table;
        case CpuIsa::kNeon:
            return neon::table;
#endif
        default:
            return portable::table;
    }
}

}  // namespace kvsplit::cpu
