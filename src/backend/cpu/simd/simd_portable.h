// Portable form of simd.h: generic vectors of gcc and clang, which the compiler splits into what the target
// has. Included by simd.h only.
#pragma once

namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE {

typedef float vec_f32 __attribute__((vector_size(64)));
typedef std::int32_t vec_i32 __attribute__((vector_size(64)));
typedef std::uint32_t vec_u32 __attribute__((vector_size(64)));
typedef std::int16_t vec_i16 __attribute__((vector_size(64)));
typedef std::uint16_t vec_u16 __attribute__((vector_size(64)));
typedef std::uint8_t vec_u8 __attribute__((vector_size(64)));

struct f32x16 {
    vec_f32 v;
};
struct i32x16 {
    vec_i32 v;
};
struct bytes64 {
    vec_u8 v;
};
struct u16x32 {
    vec_u16 v;
};
struct mask16 {
    vec_i32 v;  // all bits of a lane set or clear
};
struct mask64 {
    vec_u8 v;  // all bits of a byte set or clear
};

// For operations on single lanes, without a vector form; not inlined, to keep kernels small.
#define KVSPLIT_LANEWISE static inline __attribute__((noinline, unused))

// Loads, stores, constants
template <typename V>
KVSPLIT_INLINE V load_raw(const void* p) {
    V r;
    std::memcpy(&r, p, sizeof r);
    return r;
}
KVSPLIT_INLINE f32x16 load(const float* p) { return load_raw<f32x16>(p); }
KVSPLIT_INLINE i32x16 load(const std::int32_t* p) { return load_raw<i32x16>(p); }
KVSPLIT_INLINE bytes64 load_bytes(const void* p) { return load_raw<bytes64>(p); }
KVSPLIT_INLINE void store(float* p, f32x16 a) { std::memcpy(p, &a, sizeof a); }
KVSPLIT_INLINE void store(std::int32_t* p, i32x16 a) { std::memcpy(p, &a, sizeof a); }
KVSPLIT_INLINE void store_bytes(void* p, bytes64 a) { std::memcpy(p, &a, sizeof a); }
KVSPLIT_INLINE f32x16 set1(float x) { return {x - vec_f32{}}; }
KVSPLIT_INLINE i32x16 set1(std::int32_t x) { return {x - vec_i32{}}; }
KVSPLIT_INLINE bytes64 set1_byte(int x) { return {static_cast<std::uint8_t>(x) - vec_u8{}}; }
KVSPLIT_INLINE f32x16 zero_f32() { return {vec_f32{}}; }
KVSPLIT_INLINE i32x16 zero_i32() { return {vec_i32{}}; }
KVSPLIT_INLINE mask16 mask_first(int n) {
    return {vec_i32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} < set1(std::int32_t{n}).v};
}
KVSPLIT_LANEWISE unsigned mask_bits(mask16 m) {
    unsigned bits = 0;
    for (int i = 0; i < 16; ++i) bits |= (static_cast<unsigned>(m.v[i]) & 1) << i;
    return bits;
}
KVSPLIT_INLINE f32x16 load_first(const float* p, int n) {
    f32x16 r = zero_f32();
    std::memcpy(&r, p, static_cast<std::size_t>(n) * 4);
    return r;
}
KVSPLIT_INLINE void store_first(float* p, f32x16 a, int n) {
    std::memcpy(p, &a, static_cast<std::size_t>(n) * 4);
}

// Arithmetic. Integers wrap: they are added as unsigned.
KVSPLIT_INLINE vec_u32 as_unsigned(i32x16 a) { return reinterpret_cast<vec_u32>(a.v); }
KVSPLIT_INLINE i32x16 as_signed(vec_u32 a) { return {reinterpret_cast<vec_i32>(a)}; }
KVSPLIT_INLINE f32x16 operator+(f32x16 a, f32x16 b) { return {a.v + b.v}; }
KVSPLIT_INLINE f32x16 operator-(f32x16 a, f32x16 b) { return {a.v - b.v}; }
KVSPLIT_INLINE f32x16 operator*(f32x16 a, f32x16 b) { return {a.v * b.v}; }
KVSPLIT_INLINE f32x16 operator/(f32x16 a, f32x16 b) { return {a.v / b.v}; }
KVSPLIT_INLINE f32x16 operator-(f32x16 a) { return {-a.v}; }
KVSPLIT_INLINE f32x16 abs(f32x16 a) {
    return {reinterpret_cast<vec_f32>(reinterpret_cast<vec_i32>(a.v) & set1(INT32_MAX).v)};
}
KVSPLIT_INLINE f32x16 fmadd(f32x16 a, f32x16 b, f32x16 c) { return a * b + c; }
KVSPLIT_INLINE f32x16 fnmadd(f32x16 a, f32x16 b, f32x16 c) { return c - a * b; }
KVSPLIT_INLINE f32x16 max(f32x16 a, f32x16 b) { return {a.v > b.v ? a.v : b.v}; }
KVSPLIT_INLINE f32x16 min(f32x16 a, f32x16 b) { return {a.v < b.v ? a.v : b.v}; }
KVSPLIT_LANEWISE f32x16 sqrt(f32x16 a) {
    for (int i = 0; i < 16; ++i) a.v[i] = __builtin_sqrtf(a.v[i]);
    return a;
}
KVSPLIT_INLINE i32x16 operator+(i32x16 a, i32x16 b) { return as_signed(as_unsigned(a) + as_unsigned(b)); }
KVSPLIT_INLINE i32x16 operator-(i32x16 a, i32x16 b) { return as_signed(as_unsigned(a) - as_unsigned(b)); }
KVSPLIT_INLINE i32x16 operator*(i32x16 a, i32x16 b) { return as_signed(as_unsigned(a) * as_unsigned(b)); }
KVSPLIT_INLINE i32x16 operator&(i32x16 a, i32x16 b) { return {a.v & b.v}; }
template <int n>
KVSPLIT_INLINE i32x16 shift_left(i32x16 a) {
    return as_signed(as_unsigned(a) << n);
}
template <int n>
KVSPLIT_INLINE i32x16 shift_right_signed(i32x16 a) {
    return {a.v >> n};
}
template <int n>
KVSPLIT_INLINE i32x16 shift_right_logical(i32x16 a) {
    return as_signed(as_unsigned(a) >> n);
}
// 2^n for -127 < n < 128
KVSPLIT_INLINE f32x16 power_of_two(i32x16 n) {
    return {reinterpret_cast<vec_f32>(shift_left<23>(n + set1(std::int32_t{127})).v)};
}

// Comparison
KVSPLIT_INLINE mask16 lt(f32x16 a, f32x16 b) { return {a.v < b.v}; }
KVSPLIT_INLINE mask16 le(f32x16 a, f32x16 b) { return {a.v <= b.v}; }
KVSPLIT_INLINE mask16 eq(f32x16 a, f32x16 b) { return {a.v == b.v}; }
KVSPLIT_INLINE mask16 lt(i32x16 a, i32x16 b) { return {a.v < b.v}; }
KVSPLIT_INLINE mask16 eq(i32x16 a, i32x16 b) { return {a.v == b.v}; }
KVSPLIT_INLINE f32x16 select(mask16 m, f32x16 a, f32x16 b) { return {m.v ? a.v : b.v}; }
KVSPLIT_INLINE i32x16 select(mask16 m, i32x16 a, i32x16 b) { return {m.v ? a.v : b.v}; }

// Lanes i and i ^ n exchanged
template <int n>
KVSPLIT_INLINE f32x16 swap_lanes(f32x16 a) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.v[i] = a.v[i ^ n];
    return r;
}

// Powers of two
KVSPLIT_LANEWISE f32x16 fraction(f32x16 a) {
    for (int i = 0; i < 16; ++i) a.v[i] = a.v[i] - __builtin_floorf(a.v[i]);
    return a;
}
KVSPLIT_LANEWISE f32x16 times_power(f32x16 a, f32x16 b) {
    for (int i = 0; i < 16; ++i)
        a.v[i] =
            b.v[i] >= -126.0f ? __builtin_scalbnf(a.v[i], static_cast<int>(__builtin_floorf(b.v[i]))) : 0;
    return a;
}

// Reductions
KVSPLIT_LANEWISE float reduce_add(f32x16 a) {
    for (int half = 8; half >= 1; half /= 2) {
        for (int i = 0; i < half; ++i) a.v[i] = a.v[i] + a.v[i + half];
    }
    return a.v[0];
}
KVSPLIT_LANEWISE float reduce_max(f32x16 a) {
    for (int half = 8; half >= 1; half /= 2) {
        for (int i = 0; i < half; ++i) a.v[i] = a.v[i] > a.v[i + half] ? a.v[i] : a.v[i + half];
    }
    return a.v[0];
}
KVSPLIT_LANEWISE std::int32_t reduce_add(i32x16 a) {
    const vec_u32 u = as_unsigned(a);
    std::uint32_t sum = 0;
    for (int i = 0; i < 16; ++i) sum += u[i];
    return static_cast<std::int32_t>(sum);
}

KVSPLIT_INLINE f32x16 max_of_4(f32x16 a, f32x16 b, f32x16 c, f32x16 d) {
    return {vec_f32{reduce_max(a), reduce_max(b), reduce_max(c), reduce_max(d)}};
}
KVSPLIT_INLINE i32x16 add_of_4(i32x16 a, i32x16 b, i32x16 c, i32x16 d) {
    return {vec_i32{reduce_add(a), reduce_add(b), reduce_add(c), reduce_add(d)}};
}
KVSPLIT_INLINE f32x16 add_of_4(f32x16 a, f32x16 b, f32x16 c, f32x16 d) {
    return {vec_f32{reduce_add(a), reduce_add(b), reduce_add(c), reduce_add(d)}};
}

KVSPLIT_INLINE f32x16 join_quads(f32x16 a, f32x16 b) {
    for (int i = 0; i < 4; ++i) a.v[4 + i] = b.v[i];
    return a;
}
KVSPLIT_INLINE i32x16 join_quads(i32x16 a, i32x16 b) {
    for (int i = 0; i < 4; ++i) a.v[4 + i] = b.v[i];
    return a;
}

// Conversions
KVSPLIT_INLINE f32x16 to_f32(i32x16 a) { return {__builtin_convertvector(a.v, vec_f32)}; }
KVSPLIT_LANEWISE i32x16 to_i32(f32x16 a) {
    i32x16 r;
    for (int i = 0; i < 16; ++i) {
        const bool in_range = a.v[i] >= -2147483648.0f && a.v[i] < 2147483648.0f;
        r.v[i] = in_range ? static_cast<std::int32_t>(__builtin_rintf(a.v[i])) : INT32_MIN;
    }
    return r;
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
    // The exponent's bias changes by 112; the multiplication also converts subnormals.
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
    } else if (magnitude < 0x38800000u) {  // subnormal: adding 0.5 rounds at f16's last bit
        const float shifted = f32_of_bits(magnitude) + 0.5f;
        std::uint32_t shifted_bits;
        std::memcpy(&shifted_bits, &shifted, 4);
        h = shifted_bits - 0x3f000000u;
    } else {
        h = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1)) >> 13;
    }
    return static_cast<std::uint16_t>(sign | h);
}
KVSPLIT_LANEWISE f32x16 load_f16(const std::uint16_t* p) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.v[i] = f16_to_f32(p[i]);
    return r;
}
KVSPLIT_LANEWISE void store_f16(std::uint16_t* p, f32x16 a) {
    for (int i = 0; i < 16; ++i) p[i] = f32_to_f16(a.v[i]);
}
KVSPLIT_LANEWISE f32x16 load_bf16(const std::uint16_t* p) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.v[i] = f32_of_bits(std::uint32_t{p[i]} << 16);
    return r;
}
KVSPLIT_LANEWISE i32x16 load_i8_i32(const std::int8_t* p) {
    i32x16 r;
    for (int i = 0; i < 16; ++i) r.v[i] = p[i];
    return r;
}
KVSPLIT_LANEWISE i32x16 load_u8_i32(const std::uint8_t* p) {
    i32x16 r;
    for (int i = 0; i < 16; ++i) r.v[i] = p[i];
    return r;
}
KVSPLIT_INLINE f32x16 load_i8_f32(const std::int8_t* p) { return to_f32(load_i8_i32(p)); }
KVSPLIT_LANEWISE void store_i8(std::int8_t* p, f32x16 a) {
    const i32x16 n = to_i32(a);
    for (int i = 0; i < 16; ++i) {
        const std::int32_t low = n.v[i] < -128 ? -128 : n.v[i];
        p[i] = static_cast<std::int8_t>(low > 127 ? 127 : low);
    }
}
KVSPLIT_LANEWISE void store_low_bytes(std::uint8_t* p, i32x16 a) {
    for (int i = 0; i < 16; ++i) p[i] = static_cast<std::uint8_t>(a.v[i]);
}

// Words
KVSPLIT_INLINE u16x32 load(const std::uint16_t* p) { return load_raw<u16x32>(p); }
KVSPLIT_INLINE void store(std::uint16_t* p, u16x32 a) { std::memcpy(p, &a, sizeof a); }
KVSPLIT_INLINE u16x32 set1_word(int x) { return {static_cast<std::uint16_t>(x) - vec_u16{}}; }
KVSPLIT_INLINE u16x32 operator+(u16x32 a, u16x32 b) { return {a.v + b.v}; }
KVSPLIT_INLINE u16x32 max(u16x32 a, u16x32 b) { return {a.v > b.v ? a.v : b.v}; }
KVSPLIT_INLINE u16x32 average(u16x32 a, u16x32 b) { return {(a.v | b.v) - ((a.v ^ b.v) >> 1)}; }
KVSPLIT_LANEWISE u16x32 multiply_high(u16x32 a, u16x32 b) {
    for (int i = 0; i < 32; ++i)
        a.v[i] = static_cast<std::uint16_t>(std::uint32_t{a.v[i]} * std::uint32_t{b.v[i]} >> 16);
    return a;
}
KVSPLIT_LANEWISE u16x32 multiply_rounded(u16x32 a, u16x32 b) {
    for (int i = 0; i < 32; ++i) {
        const int product = static_cast<std::int16_t>(a.v[i]) * static_cast<std::int16_t>(b.v[i]);
        a.v[i] = static_cast<std::uint16_t>((product + 0x4000) >> 15);
    }
    return a;
}
template <int n>
KVSPLIT_INLINE u16x32 shift_left(u16x32 a) {
    return {a.v << n};
}
template <int n>
KVSPLIT_INLINE u16x32 shift_right_logical(u16x32 a) {
    return {a.v >> n};
}
KVSPLIT_LANEWISE u16x32 shift_out(u16x32 a, u16x32 n) {
    for (int i = 0; i < 32; ++i) a.v[i] = static_cast<std::uint16_t>(std::uint32_t{a.v[i]} >> (16 - n.v[i]));
    return a;
}
KVSPLIT_INLINE i32x16 add_pairs(i32x16 acc, u16x32 a) {
    const vec_u32 both = reinterpret_cast<vec_u32>(a.v);
    return as_signed(as_unsigned(acc) + (both & 0xffff) + (both >> 16));
}
KVSPLIT_LANEWISE std::int32_t reduce_max(u16x32 a) {
    std::uint16_t top = 0;
    for (int i = 0; i < 32; ++i) top = a.v[i] > top ? a.v[i] : top;
    return top;
}
KVSPLIT_INLINE i32x16 max_of_4(u16x32 a, u16x32 b, u16x32 c, u16x32 d) {
    return {vec_i32{reduce_max(a), reduce_max(b), reduce_max(c), reduce_max(d)}};
}
KVSPLIT_INLINE u16x32 as_words(i32x16 a) { return {reinterpret_cast<vec_u16>(a.v)}; }
KVSPLIT_LANEWISE u16x32 pack_words(i32x16 a, i32x16 b) {
    u16x32 r;
    for (int i = 0; i < 32; ++i) {
        const std::int32_t x = (i / 4 % 2 ? b : a).v[i / 8 * 4 + i % 4], least = x < 0 ? 0 : x;
        r.v[i] = static_cast<std::uint16_t>(least > 65535 ? 65535 : least);
    }
    return r;
}

// Bytes
KVSPLIT_LANEWISE bytes64 pack_bytes(u16x32 a, u16x32 b) {
    bytes64 r;
    for (int i = 0; i < 64; ++i)
        r.v[i] = static_cast<std::uint8_t>((i / 8 % 2 ? b : a).v[i / 16 * 8 + i % 8]);
    return r;
}
KVSPLIT_INLINE void pack_sevens(const i32x16 (&v)[4], bytes64& low, bytes64& high) {
    i32x16 l[4], h[4];
    for (int i = 0; i < 4; ++i) {
        l[i] = v[i] & set1(std::int32_t{0x7f});
        h[i] = shift_right_logical<7>(v[i]);
    }
    low = pack_bytes(pack_words(l[0], l[1]), pack_words(l[2], l[3]));
    high = pack_bytes(pack_words(h[0], h[1]), pack_words(h[2], h[3]));
}
KVSPLIT_INLINE bytes64 as_bytes(i32x16 a) { return {reinterpret_cast<vec_u8>(a.v)}; }
KVSPLIT_INLINE i32x16 as_i32(bytes64 a) { return {reinterpret_cast<vec_i32>(a.v)}; }
// The sum of a lane's two halves.
KVSPLIT_INLINE vec_i32 add_halves(vec_i16 a) {
    const i32x16 both{reinterpret_cast<vec_i32>(a)};
    return shift_right_signed<16>(both).v + shift_right_signed<16>(shift_left<16>(both)).v;
}
// The products of bytes, unsigned with signed ones, fit into 16 bits.
KVSPLIT_INLINE i32x16 dot4(i32x16 acc, bytes64 a, bytes64 b) {
    const vec_u16 u = reinterpret_cast<vec_u16>(a.v), s = reinterpret_cast<vec_u16>(b.v);
    const vec_i16 even = reinterpret_cast<vec_i16>(u & 0xff) * (reinterpret_cast<vec_i16>(s << 8) >> 8);
    const vec_i16 odd = reinterpret_cast<vec_i16>(u >> 8) * (reinterpret_cast<vec_i16>(s) >> 8);
    return acc + i32x16{add_halves(even) + add_halves(odd)};
}
KVSPLIT_INLINE i32x16 dot4_small(i32x16 acc, bytes64 a, bytes64 b) { return dot4(acc, a, b); }
KVSPLIT_INLINE i32x16 dot4_unsigned(i32x16 acc, bytes64 a, bytes64 b) { return dot4(acc, a, b); }
inline constexpr int kKeyFlip = 0x80;
KVSPLIT_INLINE i32x16 dot4_keys(i32x16 acc, bytes64 a, bytes64 b) { return dot4(acc, a, b); }
KVSPLIT_INLINE bytes64 set1_4bytes(const void* p) {
    std::int32_t word;
    std::memcpy(&word, p, 4);
    return as_bytes(set1(word));
}
KVSPLIT_INLINE bytes64 operator&(bytes64 a, bytes64 b) { return {a.v & b.v}; }
KVSPLIT_INLINE bytes64 operator|(bytes64 a, bytes64 b) { return {a.v | b.v}; }
KVSPLIT_INLINE bytes64 operator^(bytes64 a, bytes64 b) { return {a.v ^ b.v}; }
KVSPLIT_INLINE bytes64 operator+(bytes64 a, bytes64 b) { return {a.v + b.v}; }
KVSPLIT_INLINE bytes64 low_nibbles(bytes64 a) { return a & set1_byte(0x0f); }
template <int n>
KVSPLIT_INLINE bytes64 shift_left_bytes(bytes64 a) {
    return {a.v << n};
}
template <int n>
KVSPLIT_INLINE bytes64 shift_right_bytes(bytes64 a) {
    return {a.v >> n};
}
KVSPLIT_INLINE bytes64 high_nibbles(bytes64 a) { return shift_right_bytes<4>(a); }
KVSPLIT_INLINE bytes64 load_table16(const void* p) {
    unsigned char bytes[64];
    for (int i = 0; i < 4; ++i) std::memcpy(bytes + 16 * i, p, 16);
    return load_bytes(bytes);
}
KVSPLIT_LANEWISE bytes64 lookup16(bytes64 table, bytes64 index) {
    bytes64 r;
    for (int i = 0; i < 64; ++i) r.v[i] = table.v[index.v[i] & 15];
    return r;
}
KVSPLIT_INLINE bytes64 lookup_low_nibbles(bytes64 table, bytes64 a) {
    return lookup16(table, low_nibbles(a));
}
KVSPLIT_INLINE bytes64 lookup_high_nibbles(bytes64 table, bytes64 a) {
    return lookup16(table, high_nibbles(a));
}
KVSPLIT_LANEWISE mask64 load_mask64(const void* p) {
    const unsigned char* bytes = static_cast<const unsigned char*>(p);
    mask64 r;
    for (int i = 0; i < 64; ++i) r.v[i] = static_cast<std::uint8_t>(-(bytes[i / 8] >> i % 8 & 1));
    return r;
}
KVSPLIT_INLINE bytes64 add_where(mask64 m, bytes64 a, bytes64 b) { return {a.v + (m.v & b.v)}; }

KVSPLIT_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }

#undef KVSPLIT_LANEWISE

}  // namespace kvsplit::cpu::KVSPLIT_ISA_NAMESPACE
