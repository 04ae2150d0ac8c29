// The values of the codes of non-uniform formats.
#pragma once

#include <cstdint>

namespace kvsplit::gguf {

// Q1_0.
inline constexpr std::int8_t kQ1Levels[2] = {-1, 1};

// IQ4_NL and IQ4_XS.
inline constexpr std::int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

// MXFP4 and NVFP4: twice the 4-bit floats of one sign, two exponent and one mantissa bits. -0 counts as 0.
inline constexpr std::int8_t kFp4Levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// IQ2_XXS, IQ2_XS and IQ2_S: bit 2 is the sign; codes 3 and 7 do not occur.
inline constexpr std::int8_t kIq2Levels[8] = {8, 25, 43, 0, -8, -25, -43, 0};

// IQ3_XXS and IQ3_S: bit 3 is the sign.
inline constexpr std::int8_t kIq3XxsLevels[16] = {4,  12,  20,  28,  36,  44,  52,  62,
                                                  -4, -12, -20, -28, -36, -44, -52, -62};
inline constexpr std::int8_t kIq3SLevels[16] = {1, 3, 5, 7, 9, 11, 13, 15, -1, -3, -5, -7, -9, -11, -13, -15};

// IQ1_S and IQ1_M, eight times the weight: -1, 0 and 1, shifted up by an eighth or, with bit 2, down; codes 3
// and 7 do not occur.
inline constexpr std::int8_t kIq1Levels[8] = {-7, 1, 9, 0, -9, -1, 7, 0};

}  // namespace kvsplit::gguf
