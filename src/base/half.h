// IEEE half precision (f16) in plain C++: the definition that hardware conversions agree with.
#pragma once

#include <bit>
#include <cstdint>

namespace kvsplit {

// Exact. A NaN stays one and becomes quiet.
inline float f16_to_f32(std::uint16_t h) {
    const std::uint32_t sign = std::uint32_t{h & 0x8000u} << 16, magnitude = h & 0x7fffu;
    if (magnitude >= 0x7c00u) {  // infinity or NaN
        const std::uint32_t quiet = magnitude > 0x7c00u ? 0x400000u : 0u;
        return std::bit_cast<float>(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13 | quiet);
    }
    // Moving the exponent's bias from 15 to 127 by a multiplication gives subnormals their value, too.
    const float value = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
}

// Rounds to nearest, ties to even; 65520 and above become infinity.
inline std::uint16_t f32_to_f16(float f) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(f);
    const std::uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    std::uint32_t h;
    if (magnitude > 0x7f800000u) {
        h = 0x7e00u | (magnitude >> 13 & 0x3ffu);
    } else if (magnitude >= 0x477ff000u) {
        h = 0x7c00u;
    } else if (magnitude <
               0x38800000u) {  // subnormal: after adding 0.5 the last kept bit is the float's last bit
        h = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
    } else {
        h = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
    }
    return static_cast<std::uint16_t>(sign | h);
}

}  // namespace kvsplit
