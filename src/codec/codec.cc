#include "codec/codec.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "base/error.h"

namespace kvsplit::codec {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t round_up(std::size_t n, std::size_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Channels per scale for a multiple of 16 channels: all of them if none of the usual sizes divides it.
int scale_group(int dim) {
    for (int group : {64, 48, 32}) {
        if (dim % group == 0) return group;
    }
    return dim;
}

void check_width(const char* side, int bits) {
    if (bits != 32 && std::ranges::count(kv_widths(), bits) == 0) {
        fail(ErrorCode::kUnsupported, "{} width {}: must be 32, 16, 8, 6, 5, 4, 3 or 2 bits", side, bits);
    }
}

// The codes of one side and head.
struct Codes {
    std::size_t bytes, high_plane;
};

// rows go into quads (of channels for keys, of tokens for values), `columns` lie side by side in a block.
Codes codes(int bits, std::size_t rows, std::size_t columns) {
    if (bits >= 16) return {rows * columns * static_cast<std::size_t>(bits) / 8, 0};
    const auto plane = [&](int width) {
        const std::size_t quads = (rows + 3) / 4, per_block = 8 / static_cast<std::size_t>(width);
        return (quads + per_block - 1) / per_block * columns * 4;
    };
    const CodePlanes planes = code_planes(bits);
    const std::size_t low = plane(planes.low);
    return {low + (planes.high > 0 ? plane(planes.high) : 0), low};
}

// Appends arrays to a page.
class Builder {
  public:
    explicit Builder(int n_heads) : n_heads_(static_cast<std::size_t>(n_heads)) {}

    // An array of all heads, one after the other.
    PageArray add(std::size_t bytes) {
        const PageArray array{end_, bytes, bytes};
        end_ += bytes * n_heads_;
        return array;
    }
    // One block for each head, made of arrays of these sizes.
    PageArray add_blocks(std::initializer_list<std::pair<PageArray*, std::size_t>> arrays) {
        align();
        std::size_t bytes = 0;
        for (const auto& [array, array_bytes] : arrays) bytes += array_bytes;
        std::size_t at = end_;
        for (const auto& [array, array_bytes] : arrays) {
            *array = {at, bytes, array_bytes};
            at += array_bytes;
        }
        return add(bytes);
    }
    void align() { end_ = round_up(end_, kAlignment); }
    std::size_t end() const { return end_; }

  private:
    std::size_t n_heads_;
    std::size_t end_ = 0;
};

}  // namespace

HeadShape head_shape(int head_dim) {
    if (head_dim < 1 || head_dim > kMaxHeadDim) {
        fail(ErrorCode::kInvalidArgument, "head_dim {}: must be between 1 and {}", head_dim, kMaxHeadDim);
    }
    HeadShape shape;
    shape.head_dim = head_dim;
    shape.padded_dim = (head_dim + 15) / 16 * 16;
    shape.group = scale_group(shape.padded_dim);
    shape.n_groups = shape.padded_dim / shape.group;
    shape.hadamard_size = shape.padded_dim & -shape.padded_dim;
    return shape;
}

KvHead KvHead::of_latent(int n_rotary, int n_latent) {
    KvHead head;
    head.key = head_shape(n_rotary);
    head.value = head_shape(n_latent);
    head.latent = true;
    return head;
}

PageLayout page_layout(KvWidths widths, const KvHead& head, int n_kv_heads, int sinks, const KvCodec& codec) {
    check_width("key", widths.key_bits);
    check_width("value", widths.value_bits);
    if ((widths.key_bits == 32) != (widths.value_bits == 32)) {
        fail(ErrorCode::kUnsupported, "32 bits are for keys and values together");
    }
    if (n_kv_heads < 1) fail(ErrorCode::kInvalidArgument, "n_kv_heads {}: must be positive", n_kv_heads);

    const auto key_dim = static_cast<std::size_t>(head.key.head_dim),
               padded_key_dim = static_cast<std::size_t>(head.key.padded_dim),
               padded_value_dim = static_cast<std::size_t>(head.value.padded_dim);
    const auto scales_bytes = [](const HeadShape& side) {
        return static_cast<std::size_t>(side.n_groups) * kPageTokens * 2;
    };
    const std::size_t sink_tokens = static_cast<std::size_t>(sinks);
    if (head.latent) std::swap(widths.key_bits, widths.value_bits);
    const bool coded_keys = widths.key_bits < 16, coded_values = widths.value_bits < 16;
    const bool coded_latents = head.latent && coded_values;

    PageLayout l;
    l.key_bits = widths.key_bits;
    l.value_bits = widths.value_bits;
    l.head = head;
    if (!codec.rotation) l.head.key.hadamard_size = l.head.value.hadamard_size = 1;
    l.codec = codec;
    l.n_kv_heads = n_kv_heads;
    l.sinks = sinks;
    const Codes keys = codes(widths.key_bits, coded_keys ? padded_key_dim : key_dim, kPageTokens);
    const Codes values = codes(widths.value_bits, kPageTokens, padded_value_dim);
    l.key_high_plane = keys.high_plane;
    l.value_high_plane = values.high_plane;
    Builder page(n_kv_heads);
    l.key_mean_scales = page.add(coded_keys ? 2 : 0);
    l.key_means = page.add(coded_keys ? padded_key_dim : 0);
    l.value_mean_scales = page.add(coded_latents ? 2 : 0);
    l.value_means = page.add(coded_latents ? padded_value_dim : 0);
    l.blocks = page.add_blocks({{&l.key_codes, keys.bytes},
                                {&l.key_scales, coded_keys ? scales_bytes(head.key) : 0},
                                {&l.value_scales, coded_values ? scales_bytes(head.value) : 0},
                                {&l.value_codes, values.bytes}});
    l.sink_keys = page.add(coded_keys ? sink_tokens * key_dim * 2 : 0);
    l.sink_values = page.add(coded_values ? sink_tokens * padded_value_dim * 2 : 0);
    page.align();
    const auto heads = static_cast<std::size_t>(n_kv_heads);
    l.bytes = page.end();
    l.key_bytes =
        heads * (l.key_codes.bytes + l.key_scales.bytes + l.key_means.bytes + l.key_mean_scales.bytes);
    l.value_bytes = heads * (l.value_codes.bytes + l.value_scales.bytes + l.value_means.bytes +
                             l.value_mean_scales.bytes);
    if (head.latent) std::swap(l.key_bytes, l.value_bytes);
    l.exact_bytes = l.bytes - l.key_bytes - l.value_bytes;
    return l;
}

namespace {

double bits_per_element(std::size_t bytes, const HeadShape& side) {
    return 8.0 * static_cast<double>(bytes) / (static_cast<double>(side.head_dim) * kPageTokens);
}

}  // namespace

double key_bits_per_element(int key_bits, const KvHead& head) {
    return bits_per_element(page_layout({key_bits, key_bits}, head, 1, 0).key_bytes, head.wide_side());
}

double value_bits_per_element(int value_bits, const KvHead& head) {
    return bits_per_element(page_layout({value_bits, value_bits}, head, 1, 0).value_bytes, head.other_side());
}

}  // namespace kvsplit::codec
