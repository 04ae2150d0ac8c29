#include "codec/reference.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "base/half.h"
#include "codec/grid.h"

namespace kvsplit::codec {
namespace {

constexpr float kMaxHalf = 65504.0f;
constexpr float kMinScale = 1e-7f;     // rounds to a positive f16
constexpr float kMinProduct = 1e-12f;  // keeps the scale rules away from division by 0
constexpr int kLanes = 16;             // tokens that a fast encoder works on at once

// max and min as vector instructions compute them: a NaN in `a` gives b.
float vmax(float a, float b) { return a > b ? a : b; }
float vmin(float a, float b) { return a < b ? a : b; }
float clamp(float x, float low, float high) { return vmin(vmax(x, low), high); }

std::size_t index(int i) { return static_cast<std::size_t>(i); }
std::uint16_t* halves(std::uint8_t* p) { return reinterpret_cast<std::uint16_t*>(p); }
const std::uint16_t* halves(const std::uint8_t* p) { return reinterpret_cast<const std::uint16_t*>(p); }

std::uint16_t to_scale(float x) { return f32_to_f16(vmin(vmax(x, kMinScale), kMaxHalf)); }

// A page of one head, with its padding channels: x[channel * kPageTokens + token].
struct Tile {
    explicit Tile(const HeadShape& s) : shape(s), x(index(s.padded_dim) * kPageTokens) {}
    float& at(int channel, int token) { return x[index(channel) * kPageTokens + index(token)]; }

    HeadShape shape;
    std::vector<float> x;
};

// The mean of a channel over the page's tokens, sinks excluded.
float channel_mean(Tile& tile, int channel, int sinks) {
    float sum[kLanes] = {};
    for (int t = sinks; t < kPageTokens; ++t) sum[t % kLanes] = sum[t % kLanes] + tile.at(channel, t);
    for (int half = kLanes / 2; half >= 1; half /= 2) {
        for (int i = 0; i < half; ++i) sum[i] = sum[i] + sum[i + half];
    }
    return sum[0] * (1.0f / static_cast<float>(kPageTokens - sinks));
}

// Sinks are stored exactly, so an average token replaces them: they must not affect scales.
void replace_sinks(Tile& tile, int channel, int sinks, float mean) {
    for (int t = 0; t < sinks; ++t) tile.at(channel, t) = mean;
}

// Every token, transformed over its channels, without the factor 1 / sqrt(hadamard_size).
void transform_channels(Tile& tile) {
    const int dim = tile.shape.padded_dim;
    for (int span = 1; span < tile.shape.hadamard_size; span *= 2) {
        for (int c = 0; c < dim; ++c) {
            if (c & span) continue;
            for (int t = 0; t < kPageTokens; ++t) {
                const float a = tile.at(c, t), b = tile.at(c + span, t);
                tile.at(c, t) = a + b;
                tile.at(c + span, t) = a - b;
            }
        }
    }
}

float transform_factor(const HeadShape& shape) {
    return 1.0f / std::sqrt(static_cast<float>(shape.hadamard_size));
}

// A code and its grid value.
struct Code {
    int code;  // uniform: signed; Lloyd-Max: table index
    float value;
};

Code nearest(const GridPolicy& grid, float x, float inverse_step) {
    if (grid.kind == GridKind::kUniform) {
        const float low = -static_cast<float>(1 << (grid.bits - 1));
        const float code = std::nearbyint(clamp(x * inverse_step - 0.5f, low, -low - 1.0f));
        return {static_cast<int>(code), code + 0.5f};
    }
    const LevelTable& table = *grid.table;
    const float u = std::fabs(x) * inverse_step;
    int cell = static_cast<int>(vmin(u * 8.0f, 7.0f));
    const bool above = u > table.threshold[cell];
    const int level = table.index[cell] + (above ? 1 : 0);
    const float magnitude = above ? table.upper[cell] : table.lower[cell];
    const int half = 1 << (grid.bits - 1);
    return x > 0.0f ? Code{half + level, magnitude} : Code{half - 1 - level, -magnitude};
}

// One group of one token: x[i * kPageTokens], i < n.
struct Group {
    const float* x;
    int n;
    float operator[](int i) const { return x[i * kPageTokens]; }
};

float starting_step(const GridPolicy& grid, const Group& group) {
    if (grid.kind == GridKind::kUniform) {
        float largest = 0.0f;
        for (int i = 0; i < group.n; ++i) largest = vmax(std::fabs(group[i]), largest);
        return largest / (static_cast<float>(1 << (grid.bits - 1)) - 0.5f);
    }
    float squares = 0.0f;
    for (int i = 0; i < group.n; ++i) squares = squares + group[i] * group[i];
    return std::sqrt(squares / static_cast<float>(group.n)) * grid.table->top;
}

struct Scales {
    float step;            // codes are nearest(x / step)
    std::uint16_t stored;  // f16
};

// The search that grid.h describes. Sum (x - s c)^2 = <x,x> - s (2 <x,c> - s <c,c>): the fit to maximise is
// the second term.
Scales choose_scales(const GridPolicy& grid, const Group& group) {
    const float base = starting_step(grid, group);
    float xx = 0.0f;
    for (int i = 0; i < group.n; ++i) xx = xx + group[i] * group[i];

    Scales best{};
    float best_fit = 0.0f;
    for (int f = 0; f < grid.n_factors; ++f) {
        const std::uint16_t step_bits = to_scale(base * grid.factors[f]);
        const float step = f16_to_f32(step_bits), inverse = 1.0f / step;
        float xc = 0.0f, cc = 0.0f;
        for (int i = 0; i < group.n; ++i) {
            const float c = nearest(grid, group[i], inverse).value;
            xc = xc + group[i] * c;
            cc = cc + c * c;
        }
        xc = vmax(std::fabs(xc), kMinProduct);
        const float least_squares = xc / vmax(cc, kMinProduct);
        const float unbiased = xx / xc;
        std::uint16_t stored = step_bits;
        if (grid.rule == ScaleRule::kLeastSquares) stored = to_scale(least_squares);
        if (grid.rule == ScaleRule::kUnbiased) stored = to_scale(unbiased);
        if (grid.rule == ScaleRule::kMixed) stored = to_scale(std::sqrt(unbiased) * std::sqrt(least_squares));

        const bool refitted = grid.rule == ScaleRule::kUnbiased || grid.rule == ScaleRule::kMixed;
        const float fitted = refitted ? least_squares : f16_to_f32(stored);
        const float fit = fitted * (2.0f * xc - fitted * cc);
        if (f == 0 || fit > best_fit) {
            best = {step, stored};
            best_fit = fit;
        }
    }
    return best;
}

// The codes of one side of a head, element by element: defines how planes are packed. Keys form quads of
// channels, with tokens adjacent; values form quads of tokens, with (padded) channels adjacent.
class CodeArray {
  public:
    static CodeArray keys(const PageLayout& l, int head, std::uint8_t* page) {
        return {page + l.key_codes.at(head), l.key_bits, l.key_high_plane, kPageTokens, l.key_bits == 8};
    }
    static CodeArray values(const PageLayout& l, int head, std::uint8_t* page) {
        return {page + l.value_codes.at(head), l.value_bits, l.value_high_plane, l.head.value.padded_dim,
                false};
    }
    // Signed codes of even grids, or indices of levels. All bits must be 0 before.
    void set(int row, int column, int code) {
        const int stored = code + bias_;
        put(0, planes_.low, row, column, stored & mask(planes_.low));
        if (planes_.high > 0)
            put(high_plane_, planes_.high, row, column, stored >> planes_.low & mask(planes_.high));
    }
    int get(int row, int column) const {
        int stored = part(0, planes_.low, row, column);
        if (planes_.high > 0) stored |= part(high_plane_, planes_.high, row, column) << planes_.low;
        return bits_ == 8 ? static_cast<std::int8_t>(stored - bias_) : stored - bias_;
    }

  private:
    CodeArray(std::uint8_t* codes, int bits, std::size_t high_plane, int columns, bool biased)
        : codes_(codes),
          bits_(bits),
          planes_(code_planes(bits)),
          high_plane_(high_plane),
          columns_(columns),
          bias_(biased || (bits < 8 && !has_levels(bits)) ? 1 << (bits - 1) : 0) {}

    static int mask(int width) { return (1 << width) - 1; }
    std::size_t byte(std::size_t plane, int width, int row, int column) const {
        const int block = row / 4 / (8 / width);
        return plane + (index(block) * index(columns_) + index(column)) * 4 + index(row % 4);
    }
    static int shift(int width, int row) { return row / 4 % (8 / width) * width; }
    void put(std::size_t plane, int width, int row, int column, int value) {
        std::uint8_t& b = codes_[byte(plane, width, row, column)];
        b = static_cast<std::uint8_t>(b | value << shift(width, row));
    }
    int part(std::size_t plane, int width, int row, int column) const {
        return codes_[byte(plane, width, row, column)] >> shift(width, row) & mask(width);
    }

    std::uint8_t* codes_;
    int bits_;
    CodePlanes planes_;
    std::size_t high_plane_;
    int columns_, bias_;
};

// Quantises a rotated tile; set(channel, token, code) stores a code.
template <typename Set>
void encode_tile(const GridPolicy& grid, Tile& tile, std::uint16_t* scales, Set set) {
    const HeadShape& shape = tile.shape;
    for (int g = 0; g < shape.n_groups; ++g) {
        for (int t = 0; t < kPageTokens; ++t) {
            const Group group{&tile.at(g * shape.group, t), shape.group};
            const Scales s = choose_scales(grid, group);
            scales[g * kPageTokens + t] = s.stored;
            const float inverse = 1.0f / s.step;
            for (int i = 0; i < shape.group; ++i) {
                set(g * shape.group + i, t, nearest(grid, group[i], inverse).code);
            }
        }
    }
}

template <typename Get>
void decode_tile(const GridPolicy& grid, const std::uint16_t* scales, Tile& tile, Get get) {
    for (int c = 0; c < tile.shape.padded_dim; ++c) {
        for (int t = 0; t < kPageTokens; ++t) {
            const float scale = f16_to_f32(scales[c / tile.shape.group * kPageTokens + t]);
            const int code = get(c, t);
            tile.at(c, t) = scale * (grid.kind == GridKind::kLloydMax
                                         ? static_cast<float>(grid.table->levels[code]) / 127.0f
                                         : static_cast<float>(code) + 0.5f);
        }
    }
    transform_channels(tile);
    const float factor = transform_factor(tile.shape);
    for (float& x : tile.x) x = x * factor;
}

// Subtracts the page mean as stored, and writes it: zeros if keys are not centred.
void center(const PageLayout& layout, Tile& tile, std::int8_t* mean, std::uint16_t* mean_scale) {
    const int dim = tile.shape.padded_dim;
    std::vector<float> exact(index(dim));
    float largest = 0.0f;
    for (int c = 0; c < dim; ++c) {
        exact[index(c)] = channel_mean(tile, c, layout.sinks);
        replace_sinks(tile, c, layout.sinks, exact[index(c)]);
        if (!layout.codec.mean) exact[index(c)] = 0.0f;
        largest = vmax(std::fabs(exact[index(c)]), largest);
    }
    *mean_scale = f32_to_f16(largest / 127.0f);
    if (*mean_scale == 0) *mean_scale = 1;  // the smallest f16
    const float scale = f16_to_f32(*mean_scale);
    for (int c = 0; c < dim; ++c) {
        const float code = std::nearbyint(clamp(exact[index(c)] / scale, -127.0f, 127.0f));
        mean[c] = static_cast<std::int8_t>(code);
        for (int t = 0; t < kPageTokens; ++t) tile.at(c, t) = tile.at(c, t) - code * scale;
    }
}

}  // namespace

void encode_key_page(const PageLayout& layout, int head, const std::uint16_t* open_keys,
                     const float* smoothing, std::uint8_t* page) {
    const HeadShape& shape = layout.head.key;
    std::uint8_t* codes = page + layout.key_codes.at(head);
    if (layout.key_bits == 16) {
        std::memcpy(codes, open_keys, layout.key_codes.bytes);
        return;
    }
    Tile tile(shape);
    for (std::size_t i = 0; i < index(shape.head_dim) * kPageTokens; ++i)
        tile.x[i] = clamp(f16_to_f32(open_keys[i]), -kMaxHalf, kMaxHalf);
    center(layout, tile, reinterpret_cast<std::int8_t*>(page + layout.key_means.at(head)),
           halves(page + layout.key_mean_scales.at(head)));
    for (int c = 0; c < shape.padded_dim; ++c) {
        const float factor = smoothing[c] * transform_factor(shape);
        for (int t = 0; t < kPageTokens; ++t) tile.at(c, t) = tile.at(c, t) * factor;
    }
    transform_channels(tile);

    std::memset(codes, 0, layout.key_codes.bytes);
    CodeArray array = CodeArray::keys(layout, head, page);
    encode_tile(key_policy(layout.key_bits, layout.codec.search), tile,
                halves(page + layout.key_scales.at(head)),
                [&](int c, int t, int code) { array.set(c, t, code); });
    std::uint16_t* sinks = halves(page + layout.sink_keys.at(head));
    for (int t = 0; t < layout.sinks; ++t) {
        for (int c = 0; c < shape.head_dim; ++c)
            sinks[t * shape.head_dim + c] = open_keys[c * kPageTokens + t];
    }
}

void encode_value_page(const PageLayout& layout, int head, const std::uint16_t* open_values,
                       std::uint8_t* page) {
    const HeadShape& shape = layout.head.value;
    std::uint8_t* codes = page + layout.value_codes.at(head);
    if (layout.value_bits == 16) {
        std::memcpy(codes, open_values, layout.value_codes.bytes);
        return;
    }
    Tile tile(shape);
    for (int c = 0; c < shape.head_dim; ++c) {
        for (int t = 0; t < kPageTokens; ++t) {
            const float x = f16_to_f32(open_values[t * shape.padded_dim + c]);
            tile.at(c, t) = clamp(x, -kMaxHalf, kMaxHalf);
        }
        if (!layout.head.latent) replace_sinks(tile, c, layout.sinks, channel_mean(tile, c, layout.sinks));
    }
    if (layout.head.latent) {
        center(layout, tile, reinterpret_cast<std::int8_t*>(page + layout.value_means.at(head)),
               halves(page + layout.value_mean_scales.at(head)));
    }
    const float factor = transform_factor(shape);
    for (float& x : tile.x) x = x * factor;
    transform_channels(tile);

    std::memset(codes, 0, layout.value_codes.bytes);
    CodeArray array = CodeArray::values(layout, head, page);
    encode_tile(value_policy(layout.value_bits, layout.codec.search), tile,
                halves(page + layout.value_scales.at(head)),
                [&](int c, int t, int code) { array.set(t, c, code); });
    std::memcpy(page + layout.sink_values.at(head), open_values, layout.sink_values.bytes);
}

void decode_key_page(const PageLayout& layout, int head, const std::uint8_t* page, const float* smoothing,
                     float* keys) {
    const HeadShape& shape = layout.head.key;
    const std::uint8_t* codes = page + layout.key_codes.at(head);
    Tile tile(shape);
    if (layout.key_bits == 16) {
        for (std::size_t i = 0; i < index(shape.head_dim) * kPageTokens; ++i)
            tile.x[i] = f16_to_f32(halves(codes)[i]);
    } else {
        const CodeArray array = CodeArray::keys(layout, head, const_cast<std::uint8_t*>(page));
        decode_tile(key_policy(layout.key_bits, layout.codec.search),
                    halves(page + layout.key_scales.at(head)), tile,
                    [&](int c, int t) { return array.get(c, t); });
        const auto* mean = reinterpret_cast<const std::int8_t*>(page + layout.key_means.at(head));
        const float scale = f16_to_f32(*halves(page + layout.key_mean_scales.at(head)));
        for (int c = 0; c < shape.head_dim; ++c) {
            for (int t = 0; t < kPageTokens; ++t) {
                tile.at(c, t) = tile.at(c, t) / smoothing[c] + static_cast<float>(mean[c]) * scale;
            }
        }
    }
    for (int t = 0; t < kPageTokens; ++t) {
        for (int c = 0; c < shape.head_dim; ++c) keys[t * shape.head_dim + c] = tile.at(c, t);
    }
}

void decode_value_page(const PageLayout& layout, int head, const std::uint8_t* page, float* values) {
    const HeadShape& shape = layout.head.value;
    const std::uint8_t* codes = page + layout.value_codes.at(head);
    Tile tile(shape);
    if (layout.value_bits != 16) {
        const CodeArray array = CodeArray::values(layout, head, const_cast<std::uint8_t*>(page));
        decode_tile(value_policy(layout.value_bits, layout.codec.search),
                    halves(page + layout.value_scales.at(head)), tile,
                    [&](int c, int t) { return array.get(t, c); });
        const auto* mean = reinterpret_cast<const std::int8_t*>(page + layout.value_means.at(head));
        for (int c = 0; layout.head.latent && c < shape.head_dim; ++c) {
            const float scale = f16_to_f32(*halves(page + layout.value_mean_scales.at(head)));
            for (int t = 0; t < kPageTokens; ++t) tile.at(c, t) += static_cast<float>(mean[c]) * scale;
        }
    }
    for (int t = 0; t < kPageTokens; ++t) {
        for (int c = 0; c < shape.head_dim; ++c) {
            values[t * shape.head_dim + c] =
                layout.value_bits == 16 ? f16_to_f32(halves(codes)[t * shape.padded_dim + c]) : tile.at(c, t);
        }
    }
}

void hadamard(const HeadShape& shape, float* x) {
    for (int span = 1; span < shape.hadamard_size; span *= 2) {
        for (int c = 0; c < shape.padded_dim; ++c) {
            if (c & span) continue;
            const float a = x[c], b = x[c + span];
            x[c] = a + b;
            x[c + span] = a - b;
        }
    }
    const float factor = transform_factor(shape);
    for (int c = 0; c < shape.padded_dim; ++c) x[c] = x[c] * factor;
}

}  // namespace kvsplit::codec
