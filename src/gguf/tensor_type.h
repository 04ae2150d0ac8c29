// TensorType: the number formats that a GGUF file can name, and the sizes of their blocks.
#pragma once

#include <cstdint>
#include <string_view>

namespace kvsplit::gguf {

// The numbers are those in the file. Types marked "-" are known by name and size only, so that files with
// them can be described, and refused by name; the others can be dequantised (blocks.h).
enum class TensorType : std::uint32_t {
    kF32 = 0,
    kF16 = 1,
    kQ4_0 = 2,
    kQ4_1 = 3,
    kQ5_0 = 6,
    kQ5_1 = 7,
    kQ8_0 = 8,
    kQ8_1 = 9,  // -
    kQ2_K = 10,
    kQ3_K = 11,
    kQ4_K = 12,
    kQ5_K = 13,
    kQ6_K = 14,
    kQ8_K = 15,  // -
    kIQ2_XXS = 16,
    kIQ2_XS = 17,
    kIQ3_XXS = 18,
    kIQ1_S = 19,
    kIQ4_NL = 20,
    kIQ3_S = 21,
    kIQ2_S = 22,
    kIQ4_XS = 23,
    kI8 = 24,   // -
    kI16 = 25,  // -
    kI32 = 26,  // -
    kI64 = 27,  // -
    kF64 = 28,  // -
    kIQ1_M = 29,
    kBF16 = 30,
    kTQ1_0 = 34,
    kTQ2_0 = 35,
    kMXFP4 = 39,
    kNVFP4 = 40,
    kQ1_0 = 41,
};

// "Q4_K"; "unknown" for a number outside the enumeration.
std::string_view type_name(TensorType type);
// Elements per block: 1 for plain numbers, 32 or 256 for most others; 0 for an unknown type.
std::int64_t block_size(TensorType type);
// Bytes per block; 0 for an unknown type.
std::int64_t block_bytes(TensorType type);
// Whether blocks.h can dequantise it.
bool is_supported(TensorType type);

}  // namespace kvsplit::gguf
