// Arguments of the attention kernels: a tile of query rows, a run of pages, the state of an online softmax.
#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/codec.h"

namespace kvsplit::cpu {

// The sizes of one layer's attention and how its pages are coded.
struct AttentionShape {
    codec::KvHead head;
    int key_bits, value_bits;
    // Softmax weights times value scales are rounded to 14 bits if keys have 6 bits or more, else to 8: with
    // coarser keys the error of 8 bits does not show.
    bool wide_weights() const { return key_bits >= 6 && (!head.latent || value_bits >= 6); }
};

// What rows of queries are where they meet codes of padded_dim channels in n_groups groups.
struct QueryCodes {
    const std::int8_t* codes;  // (n_rows, padded_dim) hadamard(q / smoothing) / scale
    const float* scale;        // (n_rows)
    const std::int32_t* sums;  // (n_rows, n_groups) sums of codes over the channels of a group
};

// Query rows that share one KV head: token-major, the heads of the group within a token.
struct QueryTile {
    int n_rows;
    const float* q;                // (n_rows, query_dim) after RoPE, times the softmax scale
    QueryCodes key;                // the channels multiplied with the key
    QueryCodes latent;             // the channels multiplied with the latent; without smoothing
    const std::int32_t* position;  // (n_rows), ascending or descending
    int window;                    // tokens, 0: all
    float soft_cap = 0;            // logits become cap * tanh(logit / cap); 0: none
    int group = 1;                 // heads
    // (group) The logits of row r lose slopes[r % group] per token of distance; null: nothing.
    const float* slopes = nullptr;
};

// Pages of one layer, for some of its KV heads. All are open (f16) or all are sealed.
struct PageRun {
    const std::byte* const* pages;
    int n_pages;
    int first_page;                   // number of pages[0]
    const codec::PageLayout* layout;  // the layout of all these pages
    int head, n_heads;
    int key_bits, value_bits;  // of these pages
    int first_token;           // tokens of page 0 before this one are skipped (sinks that are read exactly)
    int n_tokens;  // tokens of each page from this one on are skipped; 64 except for the sinks' page
};

// Whether softmax weights are rounded to 8 bits.
inline bool weights_have_bytes(const AttentionShape& shape, const PageRun& run) {
    return run.value_bits < 16 && !shape.wide_weights();
}

// The largest magnitudes of a token's key and value, NaN ignored, where 16 bits have to hold them; 0 where
// they are stored in 32 bits.
struct AppendedSizes {
    float key = 0, value = 0;
};

// An online softmax over some keys, mergeable: weights are e^(logit - max), sum is theirs in sixteen parts,
// acc the weighted sum of values. (flash decoding; the state of Milakov & Gimelshein, arXiv:1805.02867.)
struct SoftmaxState {
    float* max;  // (n_rows), times log2(e); -inf: no key yet
    float* sum;  // (n_rows, 16)
    float* acc;  // (n_rows, padded_dim of the value)
};

}  // namespace kvsplit::cpu
