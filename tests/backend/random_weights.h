// Random rows of any GGUF weight type, as valid blocks with scales of a sensible size.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "base/half.h"
#include "gguf/tensor_type.h"

namespace kvsplit::test {

// Offsets of the f16 fields inside a block.
inline std::vector<std::size_t> f16_fields(gguf::TensorType type) {
    using gguf::TensorType;
    switch (type) {
        case TensorType::kQ4_1:
        case TensorType::kQ5_1:
        case TensorType::kQ4_K:
        case TensorType::kQ5_K:
            return {0, 2};
        case TensorType::kQ2_K:
            return {80, 82};
        case TensorType::kQ3_K:
            return {108};
        case TensorType::kQ6_K:
            return {208};
        case TensorType::kTQ1_0:
            return {52};
        case TensorType::kTQ2_0:
            return {64};
        case TensorType::kMXFP4:
        case TensorType::kNVFP4:
        case TensorType::kIQ1_M:
            return {};
        default:
            return {0};
    }
}

// A value for those fields that makes weights about as large as 1.
inline float scale_size(gguf::TensorType type) {
    using gguf::TensorType;
    switch (type) {
        case TensorType::kQ6_K:
            return 3e-4f;
        case TensorType::kQ2_K:
            return 0.05f;
        case TensorType::kQ3_K:
            return 0.02f;
        case TensorType::kQ4_K:
        case TensorType::kQ5_K:
            return 3e-3f;
        case TensorType::kQ8_0:
        case TensorType::kIQ4_NL:
            return 0.01f;
        case TensorType::kIQ4_XS:
            return 1e-3f;
        case TensorType::kQ1_0:
        case TensorType::kTQ1_0:
        case TensorType::kTQ2_0:
            return 1;
        case TensorType::kIQ2_XXS:
        case TensorType::kIQ2_XS:
        case TensorType::kIQ2_S:
        case TensorType::kIQ3_S:
            return 0.02f;
        case TensorType::kIQ3_XXS:
            return 0.01f;
        default:
            return 0.1f;
    }
}

// The same for formats without f16 fields.
inline void put_other_scales(gguf::TensorType type, std::uint8_t* block, std::mt19937& rng) {
    using gguf::TensorType;
    const auto byte = [](auto value) { return static_cast<std::uint8_t>(value); };
    if (type == TensorType::kMXFP4) block[0] = byte(123 + rng() % 4);
    if (type == TensorType::kNVFP4) {
        for (int g = 0; g < 4; ++g) block[g] = byte(32 + rng() % 16);
    }
    if (type == TensorType::kIQ1_M) {
        std::normal_distribution<float> normal;
        const unsigned d = f32_to_f16(scale_size(type) * normal(rng));
        for (int i = 0; i < 4; ++i)
            block[49 + 2 * i] = byte((block[49 + 2 * i] & 15) | (d >> 4 * i & 15) << 4);
    }
}

// rows x cols weights of about unit size.
inline std::vector<std::uint8_t> random_weights(gguf::TensorType type, int rows, int cols,
                                                std::mt19937& rng) {
    using gguf::TensorType;
    std::normal_distribution<float> normal;
    const std::size_t n = static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
    const auto put16 = [](std::uint8_t* to, std::uint16_t bits) { std::memcpy(to, &bits, 2); };
    std::vector<std::uint8_t> data(n / static_cast<std::size_t>(gguf::block_size(type)) *
                                   static_cast<std::size_t>(gguf::block_bytes(type)));
    if (type == TensorType::kF32 || type == TensorType::kF16 || type == TensorType::kBF16) {
        for (std::size_t i = 0; i < n; ++i) {
            const float value = normal(rng);
            std::uint32_t bits;
            std::memcpy(&bits, &value, 4);
            if (type == TensorType::kF32) std::memcpy(data.data() + 4 * i, &value, 4);
            if (type == TensorType::kF16) put16(data.data() + 2 * i, f32_to_f16(value));
            if (type == TensorType::kBF16) put16(data.data() + 2 * i, static_cast<std::uint16_t>(bits >> 16));
        }
        return data;
    }
    for (std::uint8_t& byte : data) byte = static_cast<std::uint8_t>(rng());
    const std::size_t block = static_cast<std::size_t>(gguf::block_bytes(type));
    for (std::size_t at = 0; at < data.size(); at += block) {
        for (const std::size_t field : f16_fields(type)) {
            put16(data.data() + at + field, f32_to_f16(scale_size(type) * normal(rng)));
        }
        put_other_scales(type, data.data() + at, rng);
    }
    return data;
}

inline std::vector<float> random_rows(int n, int cols, std::mt19937& rng) {
    std::normal_distribution<float> normal;
    std::vector<float> x(static_cast<std::size_t>(n) * static_cast<std::size_t>(cols));
    for (float& v : x) v = normal(rng);
    for (std::size_t i = 0; i < x.size(); i += 97) x[i] *= 20;  // outliers, as real activations have
    return x;
}

inline constexpr gguf::TensorType kWeightTypes[] = {
    gguf::TensorType::kQ1_0,   gguf::TensorType::kQ4_0,  gguf::TensorType::kQ4_1,
    gguf::TensorType::kQ5_0,   gguf::TensorType::kQ5_1,  gguf::TensorType::kQ8_0,
    gguf::TensorType::kQ2_K,   gguf::TensorType::kQ3_K,  gguf::TensorType::kQ4_K,
    gguf::TensorType::kQ5_K,   gguf::TensorType::kQ6_K,  gguf::TensorType::kIQ4_NL,
    gguf::TensorType::kIQ4_XS, gguf::TensorType::kMXFP4, gguf::TensorType::kNVFP4,
    gguf::TensorType::kTQ1_0,  gguf::TensorType::kTQ2_0, gguf::TensorType::kIQ2_XXS,
    gguf::TensorType::kIQ2_XS, gguf::TensorType::kIQ2_S, gguf::TensorType::kIQ3_XXS,
    gguf::TensorType::kIQ3_S,  gguf::TensorType::kIQ1_S, gguf::TensorType::kIQ1_M,
    gguf::TensorType::kF16,    gguf::TensorType::kBF16,  gguf::TensorType::kF32};
inline constexpr int kIntegerTypes = 24;  // the types before the float ones

}  // namespace kvsplit::test
