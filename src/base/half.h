// Converts 16-bit floats, held as bits, to and from float. Scalar helpers: bulk conversion belongs to the
// kernels.
//
// f16 is IEEE 754 binary16, bf16 the upper half of a binary32. Conversions from float round to nearest, ties
// to even. NaN keeps its sign and upper payload and becomes quiet, as in the processors' own instructions.
//
// The functions are static on purpose: files compiled for newer processors also include this header, and the
// linker must not use their copies in files that run everywhere.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace kvsplit {

// The definition in plain integers; the fast forms below give the same bits.
static constexpr float f16_to_f32_portable(std::uint16_t half) {
    const std::uint32_t sign = (half & 0x8000u) << 16;
    const std::uint32_t magnitude = half & 0x7fffu;
    std::uint32_t bits;
    if (magnitude >= 0x7c00u) {  // infinity or NaN
        bits = 0x7f800000u | (magnitude & 0x3ffu) << 13 | (magnitude > 0x7c00u ? 0x400000u : 0u);
    } else if (magnitude >= 0x400u) {  // normal: the exponent bias goes from 15 to 127
        bits = (magnitude << 13) + (112u << 23);
    } else {  // subnormal: a multiple of 2^-24, exact in float
        bits = std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1p-24f);
    }
    return std::bit_cast<float>(bits | sign);
}

static constexpr std::uint16_t f32_to_f16_portable(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = bits >> 16 & 0x8000u;
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    std::uint32_t half;
    if (magnitude > 0x7f800000u) {  // NaN
        half = 0x7e00u | (magnitude >> 13 & 0x3ffu);
    } else if (magnitude >= 0x477ff000u) {  // 65520 and more round to infinity
        half = 0x7c00u;
    } else if (magnitude >= 0x38800000u) {  // 2^-14 and more: normal
        half = (magnitude + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
        half -= 112u << 10;
    } else {  // subnormal: floats near 0.5 have steps of 2^-24, so the addition rounds correctly
        half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
    }
    return static_cast<std::uint16_t>(half | sign);
}

static inline float f16_to_f32(std::uint16_t half) {
#if defined(__F16C__)
    return _cvtsh_ss(half);
#elif defined(__aarch64__)
    __fp16 number;  // may not be returned from functions everywhere, hence no bit_cast
    std::memcpy(&number, &half, sizeof number);
    return static_cast<float>(number);
#else
    return f16_to_f32_portable(half);
#endif
}

static inline std::uint16_t f32_to_f16(float value) {
#if defined(__F16C__)
    return static_cast<std::uint16_t>(_cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT));
#elif defined(__aarch64__)
    const auto number = static_cast<__fp16>(value);
    std::uint16_t half;
    std::memcpy(&half, &number, sizeof half);
    return half;
#else
    return f32_to_f16_portable(value);
#endif
}

static constexpr float bf16_to_f32(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace kvsplit
