// Before queries and keys become integers: channel smoothing of keys, and query preparation.
#pragma once

#include <cstdint>
#include <span>

#include "codec/codec.h"

namespace kvsplit::codec {

// The factors by which key channels are multiplied before rotation (queries are divided by them), for one
// layer and KV head: s_c = (E[q_c^2] / Var[k_c])^(1/8), normalised to geometric mean 1. A thousandth of the
// mean over channels is added to numerator and denominator.
//   query_squares  f32 [head_dim]: per channel, the mean (or the sum: a common factor cancels) of q^2 after
//                  RoPE, over the heads of the group and the tokens from `sinks` on
//   key_pages      f16 [head_dim][64 tokens] each: the first pages of the sequence, complete; the variance
//                  leaves out the first `sinks` tokens
//   smoothing      f32 [padded_dim], written: finite and positive for any input (all 1 if the input is
//                  degenerate, and 1 in padding channels)
void compute_smoothing(const HeadShape& shape, std::span<const float> query_squares,
                       std::span<const std::uint16_t* const> key_pages, int sinks,
                       std::span<float> smoothing);

// One query row, ready for dot products with key codes: hadamard(query / smoothing), rounded to int8.
//   query  f32 [head_dim]; smoothing as above
//   codes  i8 [padded_dim], in [-127, 127]; the returned scale times codes is the rotated query
// The logit is  query . mean + key scale * query scale * (codes . key code values).
float prepare_query(const HeadShape& shape, const float* query, const float* smoothing, std::int8_t* codes);

}  // namespace kvsplit::codec
