// What the codes of formats with uneven grids stand for.
#pragma once

#include <cstdint>

namespace kvsplit::gguf {

// IQ4_NL and IQ4_XS.
inline constexpr std::int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

// MXFP4 and NVFP4: twice the 4-bit floats of one sign, two exponent and one mantissa bits. -0 counts as 0.
inline constexpr std::int8_t kFp4Levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace kvsplit::gguf
