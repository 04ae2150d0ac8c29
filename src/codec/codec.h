// The format of cache pages: shapes, layout, byte counts.
//
// A page holds kPageTokens consecutive tokens of ONE layer, all its KV heads. A page starts open (f16) and is
// sealed into codes once, when the current page is T pages past it. With P = kPageTokens, T = 1 +
// KvSpec::tail / P and S = KvSpec::sinks, position t reads position s exactly iff t/P - s/P < T or s < S;
// else it reads the sealed codes.
//
// A layer's page is a header, one block per head and, on the first page, the sinks. All numbers are
// little-endian. Per side, D = head_dim, Dp = D rounded up to 16, G = n_groups. Coded arrays have Dp
// channels; those from D on are 0 before the transform. The arrays, in order:
//
//   header, for all heads in order; absent if keys are not coded:
//     key mean scales     f16
//     key means           i8  [Dp]                 channel mean = mean scale * i8
//     value mean scales   f16                      only if values are coded and are also keys (latent)
//     value means         i8  [Dp]
//   head 0's block, then head 1's, ...; arrays in the order attention reads them:
//     key codes    16 bit f16 [D][64 tokens]       the key itself, after RoPE
//                  8 to 2 planes of codes          see below
//     key scales          f16 [G][64 tokens]       (not at 16 bits)
//     value scales        f16 [G][64 tokens]       (not at 16 bits)
//     value codes  16 bit f16 [64 tokens][Dp]      padding channels are 0
//                  8 to 2 planes of codes
//                  32 bit as 16 bit, in f32: open pages of a reference cache, never sealed
//   first page only, not at 16 bits, for all heads in order: the first tokens,
//     sink keys           f16 [S][D]               exact; their codes are those of an average token
//     sink values         f16 [S][Dp]
//
// Planes. Codes of 8, 4 or 2 bits have one plane. Codes of 6, 5 or 3 bits have two: the low 4, 4 or 2 bits
// and the high 2, 1 or 1 (code_planes()). A quad is four neighbouring codes, one in each of 4 bytes. A plane
// of w bits packs 8 / w quads into the same 4 bytes: quad q starts at bit (q % (8/w)) * w of block q / (8/w).
//
//   key plane     u8 [blocks][64 tokens][4 channels]      quads of channels: channel 4q + j in byte j
//   value plane   u8 [blocks][Dp channels][4 tokens]      quads of tokens:   token 4q + j in byte j
//
// Unused bits of a key plane's last block are 0. 16 tokens of a key block, or 16 channels of a value block,
// are 64 bytes: one operand of a 4-byte dot-product instruction.
//
// Decoding: at 8, 6 and 5 bits, value = scale * (code + 0.5), stored as code + 2^(b-1) (8-bit values: as the
// signed code itself). At 4, 3 and 2 bits the code is an index into lloyd_max(b), value = scale * level /
// 127.
//
// Blocks and the arrays in them start at multiples of 64 bytes; the page's size is a multiple of 64.
//
// Key codes encode hadamard(smoothing * (key - mean)), with the orthonormal Sylvester matrix in blocks of
// hadamard_size; value codes encode hadamard(value), or hadamard(latent - mean) for latents. One scale covers
// `group` consecutive channels of one token. An open page is page_layout(16, 16, ...).
//
// Latent pages store once what is both key and value: their keys are the rotated channels alone, and a
// query's dot product continues from the keys into the values. The first of a pair of widths is the latent's,
// which is most of the key; the second is the rotated channels'. All else is as above.
#pragma once

#include <cstddef>

#include "kvsplit/kv_spec.h"

namespace kvsplit::codec {

inline constexpr int kPageTokens = 64;  // P

// The widths of a code's low and high planes; high is 0 if there is only one.
struct CodePlanes {
    int low, high;
};
constexpr CodePlanes code_planes(int bits) {
    return bits == 6   ? CodePlanes{4, 2}
           : bits == 5 ? CodePlanes{4, 1}
           : bits == 3 ? CodePlanes{2, 1}
                       : CodePlanes{bits, 0};
}
// Codes of these widths index a table of levels; wider ones are even grids.
constexpr bool has_levels(int bits) { return bits <= 4; }

// The derived sizes of one side of a head. Thread-safe: a plain value.
struct HeadShape {
    int head_dim = 0;       // D
    int padded_dim = 0;     // Dp: D rounded up to 16
    int group = 0;          // channels per scale
    int n_groups = 0;       // Dp / group
    int hadamard_size = 0;  // largest power of two that divides Dp; 1: no rotation

    bool operator==(const HeadShape&) const = default;
};

// Throws Error(kInvalidArgument) unless 1 <= head_dim <= kMaxHeadDim.
HeadShape head_shape(int head_dim);
inline constexpr int kMaxHeadDim = 1024;

// What a KV head stores per token. Thread-safe: a plain value.
struct KvHead {
    HeadShape key, value;
    bool latent = false;  // the value is also the second part of the key

    KvHead() = default;
    KvHead(const HeadShape& both) : key(both), value(both) {}  // NOLINT(google-explicit-constructor)
    // n_rotary channels are key only, n_latent are key and value. Throws as head_shape does.
    static KvHead of_latent(int n_rotary, int n_latent);

    // The part whose width is the k of --kv: most of the key. In latent pages that is the latent; the rotary
    // channels have the other width.
    const HeadShape& wide_side() const { return latent ? value : key; }
    const HeadShape& other_side() const { return latent ? key : value; }

    int query_dim() const { return key.head_dim + (latent ? value.head_dim : 0); }
    int token_dim() const { return key.head_dim + value.head_dim; }  // stored per token

    bool operator==(const KvHead&) const = default;
};

// Where one array of a page is, in bytes. An absent array has 0 bytes.
struct PageArray {
    std::size_t offset = 0;  // of head 0
    std::size_t stride = 0;  // from head to head
    std::size_t bytes = 0;   // of one head
    std::size_t at(int head) const { return offset + static_cast<std::size_t>(head) * stride; }
};

// Where everything is in a layer's page.
struct PageLayout {
    // Of the arrays: in a latent page, of the rotary channels and of the latent.
    int key_bits = 16, value_bits = 16;
    KvHead head;
    KvCodec codec;  // rotation is in the head's shapes
    int n_kv_heads = 0;
    int sinks = 0;  // leading tokens stored exactly if a side is coded; 0 except on the first page

    PageArray key_mean_scales, key_means, value_mean_scales, value_means;
    PageArray blocks;  // the heads' blocks: the next four arrays
    PageArray key_codes, key_scales, value_scales, value_codes;
    PageArray sink_keys, sink_values;
    std::size_t key_high_plane = 0, value_high_plane = 0;  // offset within the head's codes

    // Codes, scales and means (f16 at 16 bits) of the part with the width k of --kv, and of the part with v;
    // padding channels included.
    std::size_t key_bytes = 0, value_bytes = 0;
    std::size_t exact_bytes = 0;  // sinks, and padding between and after the arrays
    std::size_t bytes = 0;        // the whole page = key_bytes + value_bytes + exact_bytes
};

// Every byte count of the cache derives from this function. Throws Error(kUnsupported) for unknown widths.
// Without codec.rotation the layout's shapes have hadamard_size 1.
PageLayout page_layout(KvWidths widths, const KvHead& head, int n_kv_heads, int sinks,
                       const KvCodec& codec = {});

// Bits stored per element of a sealed page other than the first, counting everything but the page's padding.
double key_bits_per_element(int key_bits, const KvHead& head);
double value_bits_per_element(int value_bits, const KvHead& head);

}  // namespace kvsplit::codec
