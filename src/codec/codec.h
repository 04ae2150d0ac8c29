// The format of cache pages: shapes, layout, byte counts.
//
// A page holds kPageTokens consecutive tokens of ONE layer, all its KV heads. Pages start open (f16) and are
// sealed once into codes when they fall T pages behind. Position t reads position s exactly iff
// t / kPageTokens - s / kPageTokens < T or s < S; else it reads the sealed codes. T = 1 + KvSpec::tail /
// kPageTokens, S = KvSpec::sinks.
//
// A layer's page is a header, a block for each head, and on the first page the sinks. Its arrays, in order
// (D = head_dim, Dp = D rounded up to 16, G = n_groups, each of the side; all numbers little-endian). Coded
// arrays have Dp channels; those from D on are 0 before the transform.
//
//   header, for all heads one after the other; absent where keys are not coded:
//     key mean scales     f16
//     key means           i8  [Dp]                 channel mean = mean scale * i8
//     value mean scales   f16                      only where values are coded and are keys as well (latent)
//     value means         i8  [Dp]
//   head 0's block, then head 1's, ...: what reading a head takes, in the order in which it is read:
//     key codes    16 bit f16 [D][64 tokens]       the key itself, after RoPE
//                  8 to 2 planes of codes          see below
//     key scales          f16 [G][64 tokens]       (not at 16 bits)
//     value scales        f16 [G][64 tokens]       (not at 16 bits)
//     value codes  16 bit f16 [64 tokens][Dp]      padding channels are 0
//                  8 to 2 planes of codes
//                  32 bit the arrangements of 16 in f32: open pages of a reference cache, never sealed
//   first page only, not at 16 bits, for all heads one after the other: the first tokens,
//     sink keys           f16 [S][D]               exact; their codes are those of an average token
//     sink values         f16 [S][Dp]
//
// Planes. A code of 8, 4 or 2 bits is one plane; one of 6, 5 or 3 bits is two, its low 4, 4 or 2 bits and
// its high 2, 1 or 1 (code_planes()). Four neighbours, a quad, fill 4 bytes, one each, and a plane of w bits
// puts 8 / w quads into the same 4 bytes: quad q at the bits (q % (8/w)) * w and up of block q / (8/w).
//
//   key plane     u8 [blocks][64 tokens][4 channels]      quads of channels: channel 4q + j in byte j
//   value plane   u8 [blocks][Dp channels][4 tokens]      quads of tokens:   token 4q + j in byte j
//
// The last block of a key plane may be partly used; its other bits are 0. So 16 tokens of a key block, or 16
// channels of a value block, are the 64 bytes that meet an instruction for dot products of 4 bytes.
//
// What a code stands for: at 8, 6 and 5 bits value = scale * (code + 0.5), with code + 2^(b-1) stored (values
// of 8 bits: the signed code itself); at 4, 3 and 2 bits the code is an index into lloyd_max(b) and value =
// scale * level / 127.
//
// Blocks, and all arrays in them, begin at offsets that are multiples of 64 bytes; the page's size is a
// multiple of 64.
//
// What the codes of a key stand for: hadamard(smoothing * (key - mean)), with the orthonormal Sylvester
// matrix in blocks of hadamard_size; of a value: hadamard(value), of a latent: hadamard(latent - mean). One
// scale covers `group` consecutive channels of one token. An open page is page_layout(16, 16, ...).
//
// Latent pages keep once what is key and value: their keys are the rotated channels alone, and the values
// stand behind them in every dot product with a query. Of a pair of widths the first is the latent's, which
// is most of the key, the second that of the rotated channels. Nothing else about them is different.
#pragma once

#include <cstddef>

#include "kvsplit/kv_spec.h"

namespace kvsplit::codec {

inline constexpr int kPageTokens = 64;  // P

// How the bits of a code are spread over planes: the widths of the low one and, or 0, of the high one.
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

// What a KV head keeps of a token. Thread-safe: a plain value.
struct KvHead {
    HeadShape key, value;
    bool latent = false;  // the channels of the value are those of a key too: of its second part

    KvHead() = default;
    KvHead(const HeadShape& both) : key(both), value(both) {}  // NOLINT(google-explicit-constructor)
    // n_rotary channels that are key only, and n_latent that are key and value. Throws as head_shape does.
    static KvHead of_latent(int n_rotary, int n_latent);

    // Which part has the width of --kv's k: the one that is most of the key, so in latent pages the latent,
    // of which the smaller part, the rotary channels, has the other width.
    const HeadShape& wide_side() const { return latent ? value : key; }
    const HeadShape& other_side() const { return latent ? key : value; }

    int query_dim() const { return key.head_dim + (latent ? value.head_dim : 0); }
    int token_dim() const { return key.head_dim + value.head_dim; }  // what is kept of a token

    bool operator==(const KvHead&) const = default;
};

// Where one array of a page is, in bytes. One that a page lacks has 0 bytes.
struct PageArray {
    std::size_t offset = 0;  // of head 0
    std::size_t stride = 0;  // from head to head
    std::size_t bytes = 0;   // of one head
    std::size_t at(int head) const { return offset + static_cast<std::size_t>(head) * stride; }
};

// Where everything is in a layer's page.
struct PageLayout {
    int key_bits = 16,
        value_bits = 16;  // of the arrays: in a latent page those of the rotary channels, the latent
    KvHead head;
    KvCodec codec;  // rotation is in the head's shapes
    int n_kv_heads = 0;
    int sinks =
        0;  // the first so many tokens are kept exactly where a side is coded; 0 but on the first page

    PageArray key_mean_scales, key_means, value_mean_scales, value_means;
    PageArray blocks;  // the heads' blocks: the next four arrays
    PageArray key_codes, key_scales, value_scales, value_codes;
    PageArray sink_keys, sink_values;
    std::size_t key_high_plane = 0, value_high_plane = 0;  // offset within the head's codes

    // Codes, scales and means of what has the width of --kv's k (f16 at 16 bits), and of what has that of its
    // v; padding channels included.
    std::size_t key_bytes = 0, value_bytes = 0;
    std::size_t exact_bytes = 0;  // sinks, and padding between and after the arrays
    std::size_t bytes = 0;        // the whole page = key_bytes + value_bytes + exact_bytes
};

// The one function from which every byte count of the cache derives. Throws Error(kUnsupported) for widths
// that there are not. Without codec.rotation the layout's shapes have hadamard_size 1.
PageLayout page_layout(KvWidths widths, const KvHead& head, int n_kv_heads, int sinks,
                       const KvCodec& codec = {});

// Bits stored for each element of a sealed page beyond the first, everything counted but the page's padding.
double key_bits_per_element(int key_bits, const KvHead& head);
double value_bits_per_element(int value_bits, const KvHead& head);

}  // namespace kvsplit::codec
