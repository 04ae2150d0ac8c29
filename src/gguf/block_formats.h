// Unpacks the codes and scales of the blocks of each format. Private to blocks.cc.
#pragma once

#include <cstring>

#include "gguf/block_structs.h"
#include "gguf/blocks.h"
#include "gguf/levels.h"

namespace kvsplit::gguf {

inline std::uint16_t load16(const std::uint8_t* p) { return static_cast<std::uint16_t>(p[0] | p[1] << 8); }
inline std::uint32_t load32(const std::uint8_t* p) {
    return load16(p) | static_cast<std::uint32_t>(load16(p + 2)) << 16;
}

// How a block is unpacked. codes() writes kSize unsigned codes; in super formats scales() writes the integer
// scales, and minima if there are any.
template <typename Block>
struct Format;

// The bits of the scale d of group g.
template <typename Block>
std::uint16_t scale_bits(const Block& b, int) {
    return load16(b.d);
}

inline void low_high_nibbles(const std::uint8_t* qs, int n, std::uint8_t* out) {
    for (int j = 0; j < n; ++j) {
        out[j] = qs[j] & 15;
        out[n + j] = qs[j] >> 4;
    }
}

// Adds bits 2 k, 2 k + 1 of packed[32 h + j] to code 128 h + 32 k + j, shifted up by `shift`.
inline void add_bit_pairs(const std::uint8_t* packed, int shift, std::uint8_t* codes) {
    for (int i = 0; i < 256; ++i) {
        const unsigned pair = packed[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
        codes[i] = static_cast<std::uint8_t>(codes[i] | pair << shift);
    }
}

// Adds bit g of packed[j] to code 32 g + j, shifted up by `shift`.
inline void add_bits(const std::uint8_t* packed, int shift, std::uint8_t* codes) {
    for (int i = 0; i < 256; ++i) {
        const unsigned bit = packed[i % 32] >> (i / 32) & 1;
        codes[i] = static_cast<std::uint8_t>(codes[i] | bit << shift);
    }
}

inline void add_fifth_bits(const std::uint8_t* qh, std::uint8_t* codes) {
    const std::uint32_t bits = load32(qh);
    for (int i = 0; i < 32; ++i) codes[i] = static_cast<std::uint8_t>(codes[i] | (bits >> i & 1) << 4);
}

template <>
struct Format<BlockQ4_0> {
    static constexpr TensorType kType = TensorType::kQ4_0;
    static constexpr AffineSpec kSpec{4, 32, 8, false, false};
    static void codes(const BlockQ4_0& b, std::uint8_t* out) { low_high_nibbles(b.qs, 16, out); }
};

template <>
struct Format<BlockQ4_1> {
    static constexpr TensorType kType = TensorType::kQ4_1;
    static constexpr AffineSpec kSpec{4, 32, 0, true, false};
    static void codes(const BlockQ4_1& b, std::uint8_t* out) { low_high_nibbles(b.qs, 16, out); }
};

template <>
struct Format<BlockQ5_0> {
    static constexpr TensorType kType = TensorType::kQ5_0;
    static constexpr AffineSpec kSpec{5, 32, 16, false, false};
    static void codes(const BlockQ5_0& b, std::uint8_t* out) {
        low_high_nibbles(b.qs, 16, out);
        add_fifth_bits(b.qh, out);
    }
};

template <>
struct Format<BlockQ5_1> {
    static constexpr TensorType kType = TensorType::kQ5_1;
    static constexpr AffineSpec kSpec{5, 32, 0, true, false};
    static void codes(const BlockQ5_1& b, std::uint8_t* out) {
        low_high_nibbles(b.qs, 16, out);
        add_fifth_bits(b.qh, out);
    }
};

template <>
struct Format<BlockQ8_0> {
    static constexpr TensorType kType = TensorType::kQ8_0;
    static constexpr AffineSpec kSpec{8, 32, 128, false, false};
    static void codes(const BlockQ8_0& b, std::uint8_t* out) {
        for (int i = 0; i < 32; ++i) out[i] = b.qs[i] ^ 0x80;  // signed q + 128
    }
};

template <>
struct Format<BlockQ2_K> {
    static constexpr TensorType kType = TensorType::kQ2_K;
    static constexpr AffineSpec kSpec{2, 16, 0, true, true};
    static void codes(const BlockQ2_K& b, std::uint8_t* out) {
        std::memset(out, 0, 256);
        add_bit_pairs(b.qs, 0, out);
    }
    static void scales(const BlockQ2_K& b, std::int8_t* sc, std::uint8_t* mn) {
        for (int g = 0; g < 16; ++g) {
            sc[g] = b.scales[g] & 15;
            mn[g] = b.scales[g] >> 4;
        }
    }
};

template <>
struct Format<BlockQ3_K> {
    static constexpr TensorType kType = TensorType::kQ3_K;
    static constexpr AffineSpec kSpec{3, 16, 4, false, true};
    static void codes(const BlockQ3_K& b, std::uint8_t* out) {
        std::memset(out, 0, 256);
        add_bit_pairs(b.qs, 0, out);
        add_bits(b.hmask, 2, out);
    }
    static void scales(const BlockQ3_K& b, std::int8_t* sc, std::uint8_t*) {
        for (int g = 0; g < 16; ++g) {
            const int low = b.scales[g % 8] >> (g / 8 * 4) & 15,
                      high = b.scales[8 + g % 4] >> (g / 4 * 2) & 3;
            sc[g] = static_cast<std::int8_t>((low | high << 4) - 32);
        }
    }
};

inline void unpack_6bit_pairs(const std::uint8_t* packed, std::int8_t* sc, std::uint8_t* mn) {
    for (int g = 0; g < 4; ++g) {
        const std::uint8_t a = packed[g], b = packed[4 + g], low = packed[8 + g];
        sc[g] = a & 63;
        mn[g] = b & 63;
        sc[4 + g] = static_cast<std::int8_t>((low & 15) | (a >> 6) << 4);
        mn[4 + g] = static_cast<std::uint8_t>((low >> 4) | (b >> 6) << 4);
    }
}

template <>
struct Format<BlockQ4_K> {
    static constexpr TensorType kType = TensorType::kQ4_K;
    static constexpr AffineSpec kSpec{4, 32, 0, true, true};
    static void codes(const BlockQ4_K& b, std::uint8_t* out) {
        for (int c = 0; c < 4; ++c) low_high_nibbles(b.qs + 32 * c, 32, out + 64 * c);
    }
    static void scales(const BlockQ4_K& b, std::int8_t* sc, std::uint8_t* mn) {
        unpack_6bit_pairs(b.scales, sc, mn);
    }
};

template <>
struct Format<BlockQ5_K> {
    static constexpr TensorType kType = TensorType::kQ5_K;
    static constexpr AffineSpec kSpec{5, 32, 0, true, true};
    static void codes(const BlockQ5_K& b, std::uint8_t* out) {
        for (int c = 0; c < 4; ++c) low_high_nibbles(b.qs + 32 * c, 32, out + 64 * c);
        add_bits(b.qh, 4, out);
    }
    static void scales(const BlockQ5_K& b, std::int8_t* sc, std::uint8_t* mn) {
        unpack_6bit_pairs(b.scales, sc, mn);
    }
};

template <>
struct Format<BlockQ6_K> {
    static constexpr TensorType kType = TensorType::kQ6_K;
    static constexpr AffineSpec kSpec{6, 16, 32, false, true};
    static void codes(const BlockQ6_K& b, std::uint8_t* out) {
        for (int h = 0; h < 2; ++h) low_high_nibbles(b.ql + 64 * h, 64, out + 128 * h);
        add_bit_pairs(b.qh, 4, out);
    }
    static void scales(const BlockQ6_K& b, std::int8_t* sc, std::uint8_t*) { std::memcpy(sc, b.sc, 16); }
};

template <>
struct Format<BlockIQ4_NL> {
    static constexpr TensorType kType = TensorType::kIQ4_NL;
    static constexpr AffineSpec kSpec{4, 32, 0, false, false, kIq4Levels};
    static void codes(const BlockIQ4_NL& b, std::uint8_t* out) { low_high_nibbles(b.qs, 16, out); }
};

template <>
struct Format<BlockIQ4_XS> {
    static constexpr TensorType kType = TensorType::kIQ4_XS;
    static constexpr AffineSpec kSpec{4, 32, 0, false, true, kIq4Levels};
    static void codes(const BlockIQ4_XS& b, std::uint8_t* out) {
        for (int g = 0; g < 8; ++g) low_high_nibbles(b.qs + 16 * g, 16, out + 32 * g);
    }
    static void scales(const BlockIQ4_XS& b, std::int8_t* sc, std::uint8_t*) {
        for (int g = 0; g < 8; ++g) {
            const int low = b.scales_l[g / 2] >> (g % 2 * 4) & 15, high = load16(b.scales_h) >> (2 * g) & 3;
            sc[g] = static_cast<std::int8_t>((low | high << 4) - 32);
        }
    }
};

template <>
struct Format<BlockMXFP4> {
    static constexpr TensorType kType = TensorType::kMXFP4;
    static constexpr AffineSpec kSpec{4, 32, 0, false, false, kFp4Levels, 1, ScaleNumber::kE8M0};
    static void codes(const BlockMXFP4& b, std::uint8_t* out) { low_high_nibbles(b.qs, 16, out); }
};
inline std::uint16_t scale_bits(const BlockMXFP4& b, int) { return b.e; }

template <>
struct Format<BlockNVFP4> {
    static constexpr TensorType kType = TensorType::kNVFP4;
    static constexpr AffineSpec kSpec{4, 16, 0, false, false, kFp4Levels, 128};
    static void codes(const BlockNVFP4& b, std::uint8_t* out) {
        for (int g = 0; g < 4; ++g) low_high_nibbles(b.qs + 8 * g, 8, out + 16 * g);
    }
};
// Placing the exponent and mantissa in those of an f16 makes the value 2^8 times too small, and half of it is
// wanted: together a factor of 128.
inline std::uint16_t scale_bits(const BlockNVFP4& b, int g) {
    return static_cast<std::uint16_t>(b.d[g] == 0x7f ? 0 : (b.d[g] & 0x7f) << 7);
}

// One scale per block of 128, repeated for each group of 32 as in other formats.
template <>
struct Format<BlockQ1_0> {
    static constexpr TensorType kType = TensorType::kQ1_0;
    static constexpr AffineSpec kSpec{1, 32, 0, false, false, kQ1Levels};
    static void codes(const BlockQ1_0& b, std::uint8_t* out) {
        for (int i = 0; i < 128; ++i) out[i] = b.qs[i / 8] >> (i % 8) & 1;
    }
};

template <>
struct Format<BlockTQ1_0> {
    static constexpr TensorType kType = TensorType::kTQ1_0;
    static constexpr AffineSpec kSpec{2, 256, 1, false, false};
    static void codes(const BlockTQ1_0& b, std::uint8_t* out) {
        digits(b.qs, 32, 5, out);
        digits(b.qs + 32, 16, 5, out + 160);
        digits(b.qh, 4, 4, out + 240);
    }
    static void digits(const std::uint8_t* packed, int n_bytes, int n_digits, std::uint8_t* out) {
        for (int j = 0; j < n_bytes; ++j) {
            unsigned fraction = packed[j];
            for (int n = 0; n < n_digits; ++n, fraction = fraction * 3 & 255) {
                out[n * n_bytes + j] = static_cast<std::uint8_t>(fraction * 3 >> 8);
            }
        }
    }
};

template <>
struct Format<BlockTQ2_0> {
    static constexpr TensorType kType = TensorType::kTQ2_0;
    static constexpr AffineSpec kSpec{2, 256, 1, false, false};
    static void codes(const BlockTQ2_0& b, std::uint8_t* out) {
        std::memset(out, 0, 256);
        add_bit_pairs(b.qs, 0, out);
    }
};

}  // namespace kvsplit::gguf
