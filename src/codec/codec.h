// The format of cache pages: shapes, layout, byte counts.
//
// A page holds kPageTokens consecutive tokens of ONE layer, all its KV heads. Pages start open (f16) and are
// sealed once into codes when they fall kOpenPages behind. Position t reads position s exactly iff
// t / kPageTokens - s / kPageTokens < kOpenPages or s < kSinkTokens; else it reads the sealed codes.
//
// A layer's page is a sequence of arrays, each for all heads one after the other (D = head_dim, Dp = D
// rounded up to 16, G = n_groups; all numbers little-endian):
//
//   key codes    16 bit  f16 [D][64 tokens]                  the key itself, after RoPE
//                 8 bit  u8  [D/4][64 tokens][4 channels]    code + 128; value = scale * (code + 0.5)
//                 4 bit  u8  [D/8][64 tokens][4]             byte j of block c: channel 8c+j in the low
//                 nibble,
//                                                            channel 8c+4+j in the high one; nibble = index
//                                                            into lloyd_max_4bit(), value = scale * level /
//                                                            127
//   value codes  16 bit  f16 [64 tokens][Dp]                 padding channels are 0
//                32 bit  the same two arrangements in f32: open pages of a reference cache, never sealed
//                 8 bit  i8  [64/4][Dp channels][4 tokens]   code; value = scale * (code + 0.5)
//                 4 bit  u8  [64/8][Dp channels][4]          byte j of block t: token 8t+j in the low nibble,
//                                                            token 8t+4+j in the high one; nibble = table
//                                                            index
//   key scales          f16 [G][64 tokens]                   (not at 16 bits)
//   value scales        f16 [G][64 tokens]                   (not at 16 bits)
//   key means           i8  [D]                              (not at 16 bits) channel mean = mean scale * i8
//   key mean scales     f16                                  one per head
//   sink keys           f16 [kSinkTokens][D]                 first page only, not at 16 bits: the first
//   tokens, sink values         f16 [kSinkTokens][Dp]                exact; their codes are those of an
//   average token
//
// Codes begin at offsets that are multiples of 64 bytes; the page's size is a multiple of 64. Codes of
// padding channels are written as 0 and never read by anything that matters.
//
// What the codes of a key stand for: hadamard(smoothing * (key - mean)), with the orthonormal Sylvester
// matrix in blocks of hadamard_size; of a value: hadamard(value). One scale covers `group` consecutive
// channels of one token. An open page is page_layout(16, 16, ...).
#pragma once

#include <cstddef>

namespace kvsplit::codec {

inline constexpr int kPageTokens = 64;  // P
inline constexpr int kOpenPages = 2;    // T
inline constexpr int kSinkTokens = 4;   // S

// The derived sizes of a head. Thread-safe: a plain value.
struct HeadShape {
    int head_dim = 0;       // D
    int padded_dim = 0;     // Dp: D rounded up to 16
    int group = 0;          // channels per scale; 0 where the head takes 16 bits only
    int n_groups = 0;       // D / group, or 0
    int hadamard_size = 0;  // largest power of two that divides D
};

// Throws Error(kInvalidArgument) unless 1 <= head_dim <= kMaxHeadDim.
HeadShape head_shape(int head_dim);
inline constexpr int kMaxHeadDim = 1024;

// Throws Error(kUnsupported) if a width is none of the known ones or the head cannot take it: quantised
// widths need a head_dim that is a multiple of 16 and divides into scale groups. `side` ("key", "value") is
// for the text.
void check_width(const char* side, int bits, const HeadShape& shape);

// Where everything is in a layer's page. Offsets and strides in bytes; head h of an array begins at
// offset + h * stride. Arrays that a page lacks have stride 0.
struct PageLayout {
    int key_bits = 16, value_bits = 16;
    HeadShape shape;
    int n_kv_heads = 0;
    bool first_page = false;  // the page of positions 0 .. 63: carries sinks where a side is coded

    std::size_t key_codes = 0, key_codes_head_bytes = 0;
    std::size_t value_codes = 0, value_codes_head_bytes = 0;
    std::size_t key_scales = 0, key_scales_head_bytes = 0;
    std::size_t value_scales = 0, value_scales_head_bytes = 0;
    std::size_t key_means = 0, key_means_head_bytes = 0;
    std::size_t key_mean_scales = 0, key_mean_scales_head_bytes = 0;
    std::size_t sink_keys = 0, sink_keys_head_bytes = 0;
    std::size_t sink_values = 0, sink_values_head_bytes = 0;

    std::size_t key_bytes = 0;    // codes, scales and means of the keys (f16 keys at 16 bits)
    std::size_t value_bytes = 0;  // codes and scales of the values, padding channels included
    std::size_t exact_bytes = 0;  // sinks, and padding between and after the arrays
    std::size_t bytes = 0;        // the whole page = key_bytes + value_bytes + exact_bytes
};

// The one function from which every byte count of the cache derives. Throws as check_width does.
PageLayout page_layout(int key_bits, int value_bits, const HeadShape& shape, int n_kv_heads, bool first_page);

// Bits stored for each element of a sealed page beyond the first, everything counted but the page's padding.
double key_bits_per_element(int key_bits, const HeadShape& shape);
double value_bits_per_element(int value_bits, const HeadShape& shape);

}  // namespace kvsplit::codec
