// Sealing of one head of one page: the fast forms of codec::encode_key_page and encode_value_page.
#pragma once

#include <cstdint>

#include "codec/codec.h"

namespace kvsplit::cpu {

// Arguments and results are those of codec/reference.h, bit for bit, on every instruction set.
struct SealKernels {
    void (*key_page)(const codec::PageLayout& layout, int head, const std::uint16_t* open_keys,
                     const float* smoothing, std::uint8_t* page);
    void (*value_page)(const codec::PageLayout& layout, int head, const std::uint16_t* open_values,
                       std::uint8_t* page);
};

}  // namespace kvsplit::cpu
