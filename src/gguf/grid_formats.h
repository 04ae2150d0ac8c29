// Unpacks the blocks of the formats with grids: IQ1, IQ2 and IQ3. Private to blocks.cc.
//
// A code is a coordinate of a grid point with one more bit above it: the sign of the weight, for IQ1 the sign
// of the shift.
#pragma once

#include <bit>

#include "gguf/block_formats.h"
#include "gguf/grids.h"

namespace kvsplit::gguf {

// Eight codes: coordinates of two bits, sign j at bit j of `signs`.
inline void put_eight(unsigned point, unsigned signs, std::uint8_t* out) {
    for (int j = 0; j < 8; ++j) {
        out[j] = static_cast<std::uint8_t>((point >> 2 * j & 3) | (signs >> j & 1) << 2);
    }
}

// Four codes: coordinates of three bits.
inline void put_four(unsigned point, unsigned signs, std::uint8_t* out) {
    for (int j = 0; j < 4; ++j) {
        out[j] = static_cast<std::uint8_t>((point >> 3 * j & 7) | (signs >> j & 1) << 3);
    }
}

// Eight signs from seven: the number of negative weights is even.
inline unsigned even_signs(unsigned seven) {
    seven &= 127;
    return seven | static_cast<unsigned>(std::popcount(seven) & 1) << 7;
}

// 2 n + 1 for the 4-bit numbers n of packed bytes, low half first.
inline void odd_scales(const std::uint8_t* packed, int count, std::int8_t* sc) {
    for (int g = 0; g < count; ++g) {
        sc[g] = static_cast<std::int8_t>(2 * (packed[g / 2] >> (g % 2 * 4) & 15) + 1);
    }
}

template <>
struct Format<BlockIQ2_XXS> {
    static constexpr TensorType kType = TensorType::kIQ2_XXS;
    static constexpr AffineSpec kSpec{3, 32, 0, false, true, kIq2Levels, 0.125f};
    static void codes(const BlockIQ2_XXS& b, std::uint8_t* out) {
        for (int i = 0; i < 32; ++i) {
            const std::uint8_t* group = b.qs + i / 4 * 8;
            put_eight(kIq2XxsGrid[group[i % 4]], even_signs(load32(group + 4) >> (i % 4 * 7)), out + 8 * i);
        }
    }
    static void scales(const BlockIQ2_XXS& b, std::int8_t* sc, std::uint8_t*) {
        for (int g = 0; g < 8; ++g) sc[g] = static_cast<std::int8_t>(2 * (b.qs[8 * g + 7] >> 4) + 1);
    }
};

template <>
struct Format<BlockIQ2_XS> {
    static constexpr TensorType kType = TensorType::kIQ2_XS;
    static constexpr AffineSpec kSpec{3, 16, 0, false, true, kIq2Levels, 0.125f};
    static void codes(const BlockIQ2_XS& b, std::uint8_t* out) {
        for (int i = 0; i < 32; ++i) {
            const unsigned q = load16(b.qs + 2 * i);
            put_eight(kIq2XsGrid[q & 511], even_signs(q >> 9), out + 8 * i);
        }
    }
    static void scales(const BlockIQ2_XS& b, std::int8_t* sc, std::uint8_t*) { odd_scales(b.scales, 16, sc); }
};

template <>
struct Format<BlockIQ2_S> {
    static constexpr TensorType kType = TensorType::kIQ2_S;
    static constexpr AffineSpec kSpec{3, 16, 0, false, true, kIq2Levels, 0.125f};
    static void codes(const BlockIQ2_S& b, std::uint8_t* out) {
        for (int i = 0; i < 32; ++i) {
            const unsigned high = b.qh[i / 4] >> (i % 4 * 2) & 3;
            put_eight(kIq2SGrid[b.qs[i] | high << 8], b.signs[i], out + 8 * i);
        }
    }
    static void scales(const BlockIQ2_S& b, std::int8_t* sc, std::uint8_t*) { odd_scales(b.scales, 16, sc); }
};

template <>
struct Format<BlockIQ3_XXS> {
    static constexpr TensorType kType = TensorType::kIQ3_XXS;
    static constexpr AffineSpec kSpec{4, 32, 0, false, true, kIq3XxsLevels, 0.25f};
    static void codes(const BlockIQ3_XXS& b, std::uint8_t* out) {
        for (int i = 0; i < 32; ++i) {
            const unsigned signs = even_signs(load32(b.signs + i / 4 * 4) >> (i % 4 * 7));
            put_four(kIq3XxsGrid[b.qs[2 * i]], signs, out + 8 * i);
            put_four(kIq3XxsGrid[b.qs[2 * i + 1]], signs >> 4, out + 8 * i + 4);
        }
    }
    static void scales(const BlockIQ3_XXS& b, std::int8_t* sc, std::uint8_t*) {
        for (int g = 0; g < 8; ++g) sc[g] = static_cast<std::int8_t>(2 * (b.signs[4 * g + 3] >> 4) + 1);
    }
};

template <>
struct Format<BlockIQ3_S> {
    static constexpr TensorType kType = TensorType::kIQ3_S;
    static constexpr AffineSpec kSpec{4, 32, 0, false, true, kIq3SLevels};
    static void codes(const BlockIQ3_S& b, std::uint8_t* out) {
        for (int i = 0; i < 64; ++i) {
            const unsigned high = b.qh[i / 8] >> (i % 8) & 1;
            put_four(kIq3SGrid[b.qs[i] | high << 8], b.signs[i / 2] >> (i % 2 * 4), out + 4 * i);
        }
    }
    static void scales(const BlockIQ3_S& b, std::int8_t* sc, std::uint8_t*) { odd_scales(b.scales, 8, sc); }
};

template <>
struct Format<BlockIQ1_S> {
    static constexpr TensorType kType = TensorType::kIQ1_S;
    static constexpr AffineSpec kSpec{3, 32, 0, false, true, kIq1Levels, 0.125f};
    static void codes(const BlockIQ1_S& b, std::uint8_t* out) {
        for (int i = 0; i < 32; ++i) {
            const unsigned qh = load16(b.qh + i / 4 * 2), high = qh >> (i % 4 * 3) & 7;
            put_eight(kIq1Grid[b.qs[i] | high << 8], qh >> 15 ? 0xff : 0, out + 8 * i);
        }
    }
    static void scales(const BlockIQ1_S& b, std::int8_t* sc, std::uint8_t*) {
        for (int g = 0; g < 8; ++g) sc[g] = static_cast<std::int8_t>(2 * (b.qh[2 * g + 1] >> 4 & 7) + 1);
    }
};

template <>
struct Format<BlockIQ1_M> {
    static constexpr TensorType kType = TensorType::kIQ1_M;
    static constexpr AffineSpec kSpec{3, 16, 0, false, true, kIq1Levels, 0.125f};
    static void codes(const BlockIQ1_M& b, std::uint8_t* out) {
        for (int i = 0; i < 32; ++i) {
            const unsigned qh = b.qh[i / 2] >> (i % 2 * 4);
            put_eight(kIq1Grid[b.qs[i] | (qh & 7) << 8], qh & 8 ? 0xff : 0, out + 8 * i);
        }
    }
    static void scales(const BlockIQ1_M& b, std::int8_t* sc, std::uint8_t*) {
        for (int g = 0; g < 16; ++g) {
            const int n = load16(b.scales + g / 4 * 2) >> (g % 4 * 3) & 7;
            sc[g] = static_cast<std::int8_t>(2 * n + 1);
        }
    }
};
inline std::uint16_t scale_bits(const BlockIQ1_M& b, int) {
    unsigned d = 0;
    for (int i = 0; i < 4; ++i) d |= static_cast<unsigned>(b.scales[2 * i + 1] >> 4) << (4 * i);
    return static_cast<std::uint16_t>(d);
}

}  // namespace kvsplit::gguf
