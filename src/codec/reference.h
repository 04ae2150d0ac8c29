// The definition of the codecs: plain scalar encoding and decoding of one head of one page.
//
// Fast encoders give the same bits. They work on 16 tokens at a time, so sums over channels here run in
// order, sums over tokens run in 16 interleaved parts that are then folded in halves, and no operations are
// fused.
//
// Any f16 input is safe: infinities count as +-65504, NaN as -65504. Thread-safe: functions of their
// arguments. For layouts see codec.h; `page` is the start of the layer's page, `head` counts from 0.
#pragma once

#include <cstdint>

#include "codec/codec.h"

namespace kvsplit::codec {

// Seals the keys of one head: writes its codes, scales, mean and, on the first page, its sinks.
//   open_keys  f16 [head_dim][64 tokens], as open pages hold them
//   smoothing  f32 [padded_dim], finite and positive (see smoothing.h)
// At 16 bits the keys are copied.
void encode_key_page(const PageLayout& layout, int head, const std::uint16_t* open_keys,
                     const float* smoothing, std::uint8_t* page);

// Seals the values of one head. open_values: f16 [64 tokens][padded_dim], padding channels 0. Latents, which
// are also keys, have a mean too.
void encode_value_page(const PageLayout& layout, int head, const std::uint16_t* open_values,
                       std::uint8_t* page);

// The decoded keys or values in the model's basis: f32 [64 tokens][head_dim]. Sinks are not restored: on the
// first page the caller reads them from the sink arrays.
void decode_key_page(const PageLayout& layout, int head, const std::uint8_t* page, const float* smoothing,
                     float* keys);
void decode_value_page(const PageLayout& layout, int head, const std::uint8_t* page, float* values);

// Orthonormal Sylvester Hadamard transform of x[padded_dim] in blocks of hadamard_size, in place. Its own
// inverse.
void hadamard(const HeadShape& shape, float* x);

}  // namespace kvsplit::codec
