#include "backend/cpu/kernels.h"

#include <algorithm>

#include "base/check.h"

namespace kvsplit::cpu {

// The tables of the sets in this build, see cmake/isas.cmake.
#define X(set)                  \
    namespace set {             \
    extern const Kernels table; \
    }
KVSPLIT_EACH_ISA
#undef X

namespace {
#define X(set) &set::table,
constexpr const Kernels* kTables[] = {KVSPLIT_EACH_ISA};
#undef X
}  // namespace

const Kernels& kernels(CpuIsa isa) {
    KVSPLIT_CHECK(std::ranges::count(available_isas(), isa) == 1);
    return **std::ranges::find(kTables, isa, [](const Kernels* table) { return table->isa; });
}

}  // namespace kvsplit::cpu
