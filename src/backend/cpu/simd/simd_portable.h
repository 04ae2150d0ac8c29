// Portable form of simd.h: the compiler's generic vectors (gcc and clang), which it splits into what the target has.
// Included by simd.h only.
#pragma once

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

typedef float floats_v __attribute__((vector_size(64)));
typedef std::int32_t ints_v __attribute__((vector_size(64)));
typedef std::uint32_t uints_v __attribute__((vector_size(64)));
typedef std::uint8_t bytes_v __attribute__((vector_size(64)));

struct f32x16 {
    floats_v v;
};
struct i32x16 {
    ints_v v;
};
struct bytes64 {
    bytes_v v;
};
struct mask16 {
    ints_v v;  // all bits of a lane set or clear
};
struct mask64 {
    bytes_v v;  // all bits of a byte set or clear
};

// result[i] = op(i) for all lanes
template <typename V, int n, typename Op>
KVSPLIT_INLINE V lanes(Op op) {
    V r;
    for (int i = 0; i < n; ++i) r.v[i] = op(i);
    return r;
}

// Two's complement, wrapping like the vector instructions.
KVSPLIT_INLINE std::int32_t wrap(std::uint32_t x) { return static_cast<std::int32_t>(x); }
KVSPLIT_INLINE std::uint32_t bits_of(std::int32_t x) { return static_cast<std::uint32_t>(x); }

// Loads, stores, constants
template <typename V>
KVSPLIT_INLINE V load_raw(const void* p) {
    V r;
    std::memcpy(r.v, p, sizeof r.v);
    return r;
}
KVSPLIT_INLINE f32x16 load(const float* p) { return load_raw<f32x16>(p); }
KVSPLIT_INLINE i32x16 load(const std::int32_t* p) { return load_raw<i32x16>(p); }
KVSPLIT_INLINE bytes64 load_bytes(const void* p) { return load_raw<bytes64>(p); }
KVSPLIT_INLINE void store(float* p, f32x16 a) { std::memcpy(p, a.v, sizeof a.v); }
KVSPLIT_INLINE void store(std::int32_t* p, i32x16 a) { std::memcpy(p, a.v, sizeof a.v); }
KVSPLIT_INLINE void store_bytes(void* p, bytes64 a) { std::memcpy(p, a.v, sizeof a.v); }
KVSPLIT_INLINE mask16 mask_first(int n) {
    return lanes<mask16, 16>([&](int i) { return i < n; });
}
KVSPLIT_INLINE unsigned mask_bits(mask16 m) {
    unsigned bits = 0;
    for (int i = 0; i < 16; ++i) bits |= static_cast<unsigned>(m.v[i]) << i;
    return bits;
}
KVSPLIT_INLINE f32x16 load_first(const float* p, int n) {
    return lanes<f32x16, 16>([&](int i) { return i < n ? p[i] : 0.0f; });
}
KVSPLIT_INLINE void store_first(float* p, f32x16 a, int n) {
    for (int i = 0; i < n; ++i) p[i] = a.v[i];
}
KVSPLIT_INLINE f32x16 set1(float x) {
    return lanes<f32x16, 16>([&](int) { return x; });
}
KVSPLIT_INLINE i32x16 set1(std::int32_t x) {
    return lanes<i32x16, 16>([&](int) { return x; });
}
KVSPLIT_INLINE bytes64 set1_byte(int x) {
    return lanes<bytes64, 64>([&](int) { return static_cast<std::uint8_t>(x); });
}
KVSPLIT_INLINE f32x16 zero_f32() { return set1(0.0f); }
KVSPLIT_INLINE i32x16 zero_i32() { return set1(std::int32_t{0}); }

// Arithmetic
KVSPLIT_INLINE f32x16 operator+(f32x16 a, f32x16 b) {
    return lanes<f32x16, 16>([&](int i) { return a.v[i] + b.v[i]; });
}
KVSPLIT_INLINE f32x16 operator-(f32x16 a, f32x16 b) {
    return lanes<f32x16, 16>([&](int i) { return a.v[i] - b.v[i]; });
}
KVSPLIT_INLINE f32x16 operator*(f32x16 a, f32x16 b) {
    return lanes<f32x16, 16>([&](int i) { return a.v[i] * b.v[i]; });
}
KVSPLIT_INLINE f32x16 operator/(f32x16 a, f32x16 b) {
    return lanes<f32x16, 16>([&](int i) { return a.v[i] / b.v[i]; });
}
KVSPLIT_INLINE f32x16 operator-(f32x16 a) {
    return lanes<f32x16, 16>([&](int i) { return -a.v[i]; });
}
KVSPLIT_INLINE f32x16 abs(f32x16 a) {
    return lanes<f32x16, 16>([&](int i) { return __builtin_fabsf(a.v[i]); });
}
KVSPLIT_INLINE f32x16 fmadd(f32x16 a, f32x16 b, f32x16 c) { return a * b + c; }
KVSPLIT_INLINE f32x16 fnmadd(f32x16 a, f32x16 b, f32x16 c) { return c - a * b; }
KVSPLIT_INLINE f32x16 max(f32x16 a, f32x16 b) {
    return lanes<f32x16, 16>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
KVSPLIT_INLINE f32x16 min(f32x16 a, f32x16 b) {
    return lanes<f32x16, 16>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
KVSPLIT_INLINE f32x16 sqrt(f32x16 a) {
    return lanes<f32x16, 16>([&](int i) { return __builtin_sqrtf(a.v[i]); });
}
KVSPLIT_INLINE i32x16 operator+(i32x16 a, i32x16 b) {
    return lanes<i32x16, 16>([&](int i) { return wrap(bits_of(a.v[i]) + bits_of(b.v[i])); });
}
KVSPLIT_INLINE i32x16 operator-(i32x16 a, i32x16 b) {
    return lanes<i32x16, 16>([&](int i) { return wrap(bits_of(a.v[i]) - bits_of(b.v[i])); });
}
KVSPLIT_INLINE i32x16 operator*(i32x16 a, i32x16 b) {
    return lanes<i32x16, 16>([&](int i) { return wrap(bits_of(a.v[i]) * bits_of(b.v[i])); });
}
template <int n>
KVSPLIT_INLINE i32x16 shift_right_signed(i32x16 a) {
    return lanes<i32x16, 16>([&](int i) { return a.v[i] >> n; });
}
template <int n>
KVSPLIT_INLINE i32x16 shift_left(i32x16 a) {
    return lanes<i32x16, 16>([&](int i) { return wrap(bits_of(a.v[i]) << n); });
}
template <int n>
KVSPLIT_INLINE i32x16 shift_right_logical(i32x16 a) {
    return lanes<i32x16, 16>([&](int i) { return wrap(bits_of(a.v[i]) >> n); });
}
KVSPLIT_INLINE i32x16 operator&(i32x16 a, i32x16 b) {
    return lanes<i32x16, 16>([&](int i) { return wrap(bits_of(a.v[i]) & bits_of(b.v[i])); });
}
// 2^n for -127 < n < 128
KVSPLIT_INLINE f32x16 power_of_two(i32x16 n) {
    const i32x16 bits = lanes<i32x16, 16>([&](int i) { return wrap(bits_of(n.v[i] + 127) << 23); });
    return load_raw<f32x16>(bits.v);
}

// Comparison
KVSPLIT_INLINE mask16 lt(f32x16 a, f32x16 b) {
    return lanes<mask16, 16>([&](int i) { return a.v[i] < b.v[i]; });
}
KVSPLIT_INLINE mask16 le(f32x16 a, f32x16 b) {
    return lanes<mask16, 16>([&](int i) { return a.v[i] <= b.v[i]; });
}
KVSPLIT_INLINE mask16 eq(f32x16 a, f32x16 b) {
    return lanes<mask16, 16>([&](int i) { return a.v[i] == b.v[i]; });
}
KVSPLIT_INLINE mask16 lt(i32x16 a, i32x16 b) {
    return lanes<mask16, 16>([&](int i) { return a.v[i] < b.v[i]; });
}
KVSPLIT_INLINE mask16 eq(i32x16 a, i32x16 b) {
    return lanes<mask16, 16>([&](int i) { return a.v[i] == b.v[i]; });
}
KVSPLIT_INLINE f32x16 select(mask16 m, f32x16 a, f32x16 b) {
    return lanes<f32x16, 16>([&](int i) { return m.v[i] ? a.v[i] : b.v[i]; });
}
KVSPLIT_INLINE i32x16 select(mask16 m, i32x16 a, i32x16 b) {
    return lanes<i32x16, 16>([&](int i) { return m.v[i] ? a.v[i] : b.v[i]; });
}

// Lanes 2i and 2i + 1 exchanged
KVSPLIT_INLINE f32x16 swap_pairs(f32x16 a) {
    return lanes<f32x16, 16>([&](int i) { return a.v[i ^ 1]; });
}

// Reductions
KVSPLIT_INLINE float reduce_add(f32x16 a) {
    for (int half = 8; half >= 1; half /= 2) {
        for (int i = 0; i < half; ++i) a.v[i] = a.v[i] + a.v[i + half];
    }
    return a.v[0];
}
KVSPLIT_INLINE float reduce_max(f32x16 a) {
    for (int half = 8; half >= 1; half /= 2) {
        for (int i = 0; i < half; ++i) a.v[i] = a.v[i] > a.v[i + half] ? a.v[i] : a.v[i + half];
    }
    return a.v[0];
}
KVSPLIT_INLINE std::int32_t reduce_add(i32x16 a) {
    std::uint32_t sum = 0;
    for (int i = 0; i < 16; ++i) sum += bits_of(a.v[i]);
    return wrap(sum);
}

// Conversions
KVSPLIT_INLINE f32x16 to_f32(i32x16 a) {
    return lanes<f32x16, 16>([&](int i) { return static_cast<float>(a.v[i]); });
}
KVSPLIT_INLINE i32x16 to_i32(f32x16 a) {
    return lanes<i32x16, 16>([&](int i) {
        const bool in_range = a.v[i] >= -2147483648.0f && a.v[i] < 2147483648.0f;
        return in_range ? static_cast<std::int32_t>(__builtin_rintf(a.v[i])) : INT32_MIN;
    });
}
KVSPLIT_INLINE float f32_of_bits(std::uint32_t bits) {
    float f;
    std::memcpy(&f, &bits, 4);
    return f;
}
KVSPLIT_INLINE float f16_to_f32(std::uint16_t h) {
    const std::uint32_t sign = (h & 0x8000u) << 16, magnitude = h & 0x7fffu;
    if (magnitude >= 0x7c00) {  // infinity; a NaN is made quiet
        const std::uint32_t quiet = magnitude > 0x7c00 ? 0x400000u : 0;
        return f32_of_bits(sign | 0x7f800000u | (magnitude & 0x3ff) << 13 | quiet);
    }
    // The exponent's bias changes by 112; the multiplication also gives subnormals their value.
    const float value = f32_of_bits(magnitude << 13) * 0x1p112f;
    return sign ? -value : value;
}
KVSPLIT_INLINE std::uint16_t f32_to_f16(float f) {
    std::uint32_t bits;
    std::memcpy(&bits, &f, 4);
    const std::uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    std::uint32_t h;
    if (magnitude > 0x7f800000u) {
        h = 0x7e00u | (magnitude >> 13 & 0x3ff);
    } else if (magnitude >= 0x477ff000u) {  // rounds to 65536 or more
        h = 0x7c00u;
    } else if (magnitude < 0x38800000u) {  // subnormal: adding 0.5 puts the last kept bit at the end, rounded
        const float shifted = f32_of_bits(magnitude) + 0.5f;
        std::uint32_t shifted_bits;
        std::memcpy(&shifted_bits, &shifted, 4);
        h = shifted_bits - 0x3f000000u;
    } else {
        h = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1)) >> 13;
    }
    return static_cast<std::uint16_t>(sign | h);
}
KVSPLIT_INLINE f32x16 load_f16(const std::uint16_t* p) {
    return lanes<f32x16, 16>([&](int i) { return f16_to_f32(p[i]); });
}
KVSPLIT_INLINE void store_f16(std::uint16_t* p, f32x16 a) {
    for (int i = 0; i < 16; ++i) p[i] = f32_to_f16(a.v[i]);
}
KVSPLIT_INLINE f32x16 load_bf16(const std::uint16_t* p) {
    return lanes<f32x16, 16>([&](int i) { return f32_of_bits(std::uint32_t{p[i]} << 16); });
}
KVSPLIT_INLINE i32x16 load_i8_i32(const std::int8_t* p) {
    return lanes<i32x16, 16>([&](int i) { return std::int32_t{p[i]}; });
}
KVSPLIT_INLINE i32x16 load_u8_i32(const std::uint8_t* p) {
    return lanes<i32x16, 16>([&](int i) { return std::int32_t{p[i]}; });
}
KVSPLIT_INLINE void store_i8(std::int8_t* p, f32x16 a) {
    const i32x16 n = to_i32(a);
    for (int i = 0; i < 16; ++i) {
        const std::int32_t low = n.v[i] < -128 ? -128 : n.v[i];
        p[i] = static_cast<std::int8_t>(low > 127 ? 127 : low);
    }
}

KVSPLIT_INLINE void store_low_bytes(std::uint8_t* p, i32x16 a) {
    for (int i = 0; i < 16; ++i) p[i] = static_cast<std::uint8_t>(a.v[i]);
}

// Bytes
KVSPLIT_INLINE i32x16 dot4(i32x16 acc, bytes64 a, bytes64 b) {
    return lanes<i32x16, 16>([&](int i) {
        std::int32_t sum = 0;
        for (int j = 4 * i; j < 4 * i + 4; ++j)
            sum += std::int32_t{a.v[j]} * static_cast<std::int8_t>(b.v[j]);
        return wrap(bits_of(acc.v[i]) + bits_of(sum));
    });
}
KVSPLIT_INLINE i32x16 dot4_small(i32x16 acc, bytes64 a, bytes64 b) { return dot4(acc, a, b); }
KVSPLIT_INLINE bytes64 set1_4bytes(const void* p) {
    bytes64 r;
    for (int i = 0; i < 16; ++i) std::memcpy(r.v + 4 * i, p, 4);
    return r;
}
KVSPLIT_INLINE bytes64 operator&(bytes64 a, bytes64 b) {
    return lanes<bytes64, 64>([&](int i) { return static_cast<std::uint8_t>(a.v[i] & b.v[i]); });
}
KVSPLIT_INLINE bytes64 operator|(bytes64 a, bytes64 b) {
    return lanes<bytes64, 64>([&](int i) { return static_cast<std::uint8_t>(a.v[i] | b.v[i]); });
}
KVSPLIT_INLINE bytes64 operator^(bytes64 a, bytes64 b) {
    return lanes<bytes64, 64>([&](int i) { return static_cast<std::uint8_t>(a.v[i] ^ b.v[i]); });
}
KVSPLIT_INLINE bytes64 operator+(bytes64 a, bytes64 b) {
    return lanes<bytes64, 64>([&](int i) { return static_cast<std::uint8_t>(a.v[i] + b.v[i]); });
}
KVSPLIT_INLINE bytes64 low_nibbles(bytes64 a) { return a & set1_byte(0x0f); }
template <int n>
KVSPLIT_INLINE bytes64 shift_right_bytes(bytes64 a) {
    return lanes<bytes64, 64>([&](int i) { return static_cast<std::uint8_t>(a.v[i] >> n); });
}
template <int n>
KVSPLIT_INLINE bytes64 shift_left_bytes(bytes64 a) {
    return lanes<bytes64, 64>([&](int i) { return static_cast<std::uint8_t>(a.v[i] << n); });
}
KVSPLIT_INLINE bytes64 high_nibbles(bytes64 a) { return shift_right_bytes<4>(a); }
KVSPLIT_INLINE bytes64 load_table16(const void* p) {
    bytes64 r;
    for (int i = 0; i < 4; ++i) std::memcpy(r.v + 16 * i, p, 16);
    return r;
}
KVSPLIT_INLINE bytes64 lookup16(bytes64 table, bytes64 index) {
    return lanes<bytes64, 64>([&](int i) { return table.v[index.v[i] & 15]; });
}
KVSPLIT_INLINE mask64 load_mask64(const void* p) {
    const unsigned char* bytes = static_cast<const unsigned char*>(p);
    return lanes<mask64, 64>([&](int i) { return static_cast<std::uint8_t>(-(bytes[i / 8] >> i % 8 & 1)); });
}
KVSPLIT_INLINE bytes64 add_where(mask64 m, bytes64 a, bytes64 b) {
    return lanes<bytes64, 64>([&](int i) { return static_cast<std::uint8_t>(a.v[i] + (m.v[i] & b.v[i])); });
}
KVSPLIT_INLINE bytes64 as_bytes(i32x16 a) { return load_raw<bytes64>(a.v); }
KVSPLIT_INLINE i32x16 as_i32(bytes64 a) { return load_raw<i32x16>(a.v); }
KVSPLIT_INLINE f32x16 load_i8_f32(const std::int8_t* p) { return to_f32(load_i8_i32(p)); }

KVSPLIT_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
