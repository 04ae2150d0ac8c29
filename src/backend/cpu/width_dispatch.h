// Maps a run-time width to a template argument; the kernels' only list of coded widths. Part of a kernel
// translation unit (simd.h).
#pragma once

#include "backend/cpu/simd/simd.h"

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

template <int b>
struct Width {
    static constexpr int bits = b;
};

// f(Width<bits>{}) for a width below 16.
template <typename F>
KVSPLIT_INLINE void with_width(int bits, F f) {
    switch (bits) {
        case 8:
            return f(Width<8>{});
        case 6:
            return f(Width<6>{});
        case 5:
            return f(Width<5>{});
        case 4:
            return f(Width<4>{});
        case 3:
            return f(Width<3>{});
        default:
            return f(Width<2>{});
    }
}

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
