// Every operation of the SIMD layer in one table per instruction set, on arrays of 16 lanes or 64 bytes.
#pragma once

#include <cstdint>

namespace kvsplit::test {

struct SimdOps {
    // out: 16 floats each
    using F1 = void (*)(const float* a, float* out);
    using F2 = void (*)(const float* a, const float* b, float* out);
    using I2 = void (*)(const std::int32_t* a, const std::int32_t* b, std::int32_t* out);
    struct NamedF1 {
        const char* name;
        F1 op;
    };
    struct NamedF2 {
        const char* name;
        F2 op;
    };
    struct NamedI2 {
        const char* name;
        I2 op;
    };
    using Bytes = void (*)(const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out);
    struct NamedBytes {
        const char* name;
        Bytes op;
    };

    using Words = void (*)(const std::uint16_t* a, const std::uint16_t* b, std::uint16_t* out);
    struct NamedWords {
        const char* name;
        Words op;
    };

    // Equal on every set, bit for bit.
    NamedF1 unary[13];
    NamedF2 binary[13];
    NamedI2 integer[14];
    NamedWords words[9];   // 32 words each
    NamedBytes bytes[21];  // 64 bytes each
    // Equal on the fused sets; the portable set's differ in the last bits.
    NamedF1 fused[6];

    float (*reduce_add)(const float* a);
    float (*reduce_max)(const float* a);
    std::int32_t (*reduce_add_i32)(const std::int32_t* a);
    void (*to_i32)(const float* a, std::int32_t* out);
    void (*to_f32)(const std::int32_t* a, float* out);
    float (*f16_to_f32)(std::uint16_t h);
    void (*load_f16)(const std::uint16_t* a, float* out);
    void (*store_f16)(const float* a, std::uint16_t* out);
    void (*load_bf16)(const std::uint16_t* a, float* out);
    void (*load_i8)(const std::int8_t* a, std::int32_t* out);
    void (*load_u8)(const std::uint8_t* a, std::int32_t* out);
    void (*store_i8)(const float* a, std::int8_t* out);
    void (*first)(const float* a, int n, float* out);  // load_first, then store_first of n
    unsigned (*mask_first)(int n);
    void (*fmadd)(const float* a, const float* b, const float* c, float* out);
    void (*dot4)(const std::int32_t* acc, const std::uint8_t* a, const std::uint8_t* b, std::int32_t* out);
    // dot4_keys of plain signed bytes, without what kKeyFlip adds
    void (*dot4_keys)(const std::int32_t* acc, const std::uint8_t* a, const std::uint8_t* b,
                      std::int32_t* out);
    void (*dot4_small)(const std::int32_t* acc, const std::uint8_t* a, const std::uint8_t* b,
                       std::int32_t* out);
    void (*dot4_unsigned)(const std::int32_t* acc, const std::uint8_t* a, const std::uint8_t* b,
                          std::int32_t* out);
};

}  // namespace kvsplit::test
