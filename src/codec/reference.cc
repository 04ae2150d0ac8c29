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

// max and min as the vector instructions have them: a NaN in `a` gives b.
float vmax(float a, float b) { return a > b ? a : b; }
float vmin(float a, float b) { return a < b ? a : b; }
float clamp(float x, float low, float high) { return vmin(vmax(x, low), high); }

std::size_t index(int i) { return static_cast<std::size_t>(i); }
std::uint16_t* halves(std::uint8_t* p) { return reinterpret_cast<std::uint16_t*>(p); }
const std::uint16_t* halves(const std::uint8_t* p) { return reinterpret_cast<const std::uint16_t*>(p); }

std::uint16_t to_scale(float x) { return f32_to_f16(vmin(vmax(x, kMinScale), kMaxHalf)); }

// A page of one head: x[channel * kPageTokens + token].
struct Tile {
    explicit Tile(const HeadShape& s) : shape(s), x(index(s.head_dim) * kPageTokens) {}
    float& at(int channel, int token) { return x[index(channel) * kPageTokens + index(token)]; }

    HeadShape shape;
    std::vector<float> x;
};

// The mean of a channel over the page's tokens, on the first page without the sinks.
float channel_mean(Tile& tile, int channel, bool first_page) {
    float sum[kLanes] = {};
    for (int t = 0; t < kPageTokens; ++t) {
        if (!first_page || t >= kSinkTokens) sum[t % kLanes] = sum[t % kLanes] + tile.at(channel, t);
    }
    for (int half = kLanes / 2; half >= 1; half /= 2) {
        for (int i = 0; i < half; ++i) sum[i] = sum[i] + sum[i + half];
    }
    return sum[0] * (1.0f / static_cast<float>(first_page ? kPageTokens - kSinkTokens : kPageTokens));
}

// The sinks are stored exactly; an average token takes their place so that they shape nothing.
void replace_sinks(Tile& tile, int channel, float mean) {
    for (int t = 0; t < kSinkTokens; ++t) tile.at(channel, t) = mean;
}

// Every token, transformed over its channels, without the factor 1 / sqrt(hadamard_size).
void transform_channels(Tile& tile) {
    const int dim = tile.shape.head_dim;
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

// A code and the grid value that it stands for.
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

// Where the code of one element is, and how far up in its byte: the one description of the packed layouts.
struct Place {
    std::size_t byte;
    int shift;
};

Place key_place(int bits, int channel, int token) {
    if (bits == 8) return {(index(channel / 4) * kPageTokens + index(token)) * 4 + index(channel % 4), 0};
    return {(index(channel / 8) * kPageTokens + index(token)) * 4 + index(channel % 4), channel % 8 / 4 * 4};
}

Place value_place(int bits, int padded_dim, int channel, int token) {
    const int tokens = bits == 8 ? 4 : 8;
    return {(index(token / tokens) * index(padded_dim) + index(channel)) * 4 + index(token % 4),
            token % tokens / 4 * 4};
}

// Quantises a rotated tile. codes must be zero before; place(channel, token) says where a code goes and
// `bias` is added to it.
template <typename PlaceOf>
void encode_tile(const GridPolicy& grid, Tile& tile, int bias, PlaceOf place, std::uint8_t* codes,
                 std::uint16_t* scales) {
    const HeadShape& shape = tile.shape;
    for (int g = 0; g < shape.n_groups; ++g) {
        for (int t = 0; t < kPageTokens; ++t) {
            const Group group{&tile.at(g * shape.group, t), shape.group};
            const Scales s = choose_scales(grid, group);
            scales[g * kPageTokens + t] = s.stored;
            const float inverse = 1.0f / s.step;
            for (int i = 0; i < shape.group; ++i) {
                const Place p = place(g * shape.group + i, t);
                const int code = (nearest(grid, group[i], inverse).code + bias) & 0xff;
                codes[p.byte] = static_cast<std::uint8_t>(codes[p.byte] | code << p.shift);
            }
        }
    }
}

template <typename PlaceOf>
void decode_tile(const GridPolicy& grid, int bias, PlaceOf place, const std::uint8_t* codes,
                 const std::uint16_t* scales, Tile& tile) {
    for (int c = 0; c < tile.shape.head_dim; ++c) {
        for (int t = 0; t < kPageTokens; ++t) {
            const Place p = place(c, t);
            const float scale = f16_to_f32(scales[c / tile.shape.group * kPageTokens + t]);
            if (grid.kind == GridKind::kLloydMax) {
                const int code = codes[p.byte] >> p.shift & ((1 << grid.bits) - 1);
                tile.at(c, t) = scale * (static_cast<float>(grid.table->levels[code]) / 127.0f);
            } else {
                const int code = static_cast<std::int8_t>(codes[p.byte] - bias);
                tile.at(c, t) = scale * (static_cast<float>(code) + 0.5f);
            }
        }
    }
    transform_channels(tile);
    const float factor = transform_factor(tile.shape);
    for (float& x : tile.x) x = x * factor;
}

// Subtracts the page mean, as stored, and writes it.
void center(Tile& tile, bool first_page, std::int8_t* mean, std::uint16_t* mean_scale) {
    const int dim = tile.shape.head_dim;
    std::vector<float> exact(index(dim));
    float largest = 0.0f;
    for (int c = 0; c < dim; ++c) {
        exact[index(c)] = channel_mean(tile, c, first_page);
        if (first_page) replace_sinks(tile, c, exact[index(c)]);
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
    const HeadShape& shape = layout.shape;
    const std::size_t h = index(head);
    std::uint8_t* codes = page + layout.key_codes + h * layout.key_codes_head_bytes;
    if (layout.key_bits == 16) {
        std::memcpy(codes, open_keys, layout.key_codes_head_bytes);
        return;
    }
    Tile tile(shape);
    for (std::size_t i = 0; i < tile.x.size(); ++i)
        tile.x[i] = clamp(f16_to_f32(open_keys[i]), -kMaxHalf, kMaxHalf);
    center(tile, layout.first_page,
           reinterpret_cast<std::int8_t*>(page + layout.key_means + h * layout.key_means_head_bytes),
           halves(page + layout.key_mean_scales + h * layout.key_mean_scales_head_bytes));
    for (int c = 0; c < shape.head_dim; ++c) {
        const float factor = smoothing[c] * transform_factor(shape);
        for (int t = 0; t < kPageTokens; ++t) tile.at(c, t) = tile.at(c, t) * factor;
    }
    transform_channels(tile);

    const int bits = layout.key_bits;
    std::memset(codes, 0, layout.key_codes_head_bytes);
    encode_tile(
        key_policy(bits), tile, bits == 8 ? 128 : 0, [&](int c, int t) { return key_place(bits, c, t); },
        codes, halves(page + layout.key_scales + h * layout.key_scales_head_bytes));
    if (layout.first_page) {
        std::uint16_t* sinks = halves(page + layout.sink_keys + h * layout.sink_keys_head_bytes);
        for (int t = 0; t < kSinkTokens; ++t) {
            for (int c = 0; c < shape.head_dim; ++c)
                sinks[t * shape.head_dim + c] = open_keys[c * kPageTokens + t];
        }
    }
}

void encode_value_page(const PageLayout& layout, int head, const std::uint16_t* open_values,
                       std::uint8_t* page) {
    const HeadShape& shape = layout.shape;
    const std::size_t h = index(head);
    std::uint8_t* codes = page + layout.value_codes + h * layout.value_codes_head_bytes;
    if (layout.value_bits == 16) {
        std::memcpy(codes, open_values, layout.value_codes_head_bytes);
        return;
    }
    Tile tile(shape);
    for (int c = 0; c < shape.head_dim; ++c) {
        for (int t = 0; t < kPageTokens; ++t) {
            const float x = f16_to_f32(open_values[t * shape.padded_dim + c]);
            tile.at(c, t) = clamp(x, -kMaxHalf, kMaxHalf);
        }
        if (layout.first_page) replace_sinks(tile, c, channel_mean(tile, c, true));
    }
    const float factor = transform_factor(shape);
    for (float& x : tile.x) x = x * factor;
    transform_channels(tile);

    const int bits = layout.value_bits;
    std::memset(codes, 0, layout.value_codes_head_bytes);
    encode_tile(
        value_policy(bits), tile, 0, [&](int c, int t) { return value_place(bits, shape.padded_dim, c, t); },
        codes, halves(page + layout.value_scales + h * layout.value_scales_head_bytes));
    if (layout.first_page) {
        std::memcpy(page + layout.sink_values + h * layout.sink_values_head_bytes, open_values,
                    layout.sink_values_head_bytes);
    }
}

void decode_key_page(const PageLayout& layout, int head, const std::uint8_t* page, const float* smoothing,
                     float* keys) {
    const HeadShape& shape = layout.shape;
    const std::size_t h = index(head);
    const std::uint8_t* codes = page + layout.key_codes + h * layout.key_codes_head_bytes;
    Tile tile(shape);
    if (layout.key_bits == 16) {
        for (std::size_t i = 0; i < tile.x.size(); ++i) tile.x[i] = f16_to_f32(halves(codes)[i]);
    } else {
        const int bits = layout.key_bits;
        decode_tile(
            key_policy(bits), bits == 8 ? 128 : 0, [&](int c, int t) { return key_place(bits, c, t); }, codes,
            halves(page + layout.key_scales + h * layout.key_scales_head_bytes), tile);
        const auto* mean =
            reinterpret_cast<const std::int8_t*>(page + layout.key_means + h * layout.key_means_head_bytes);
        const float scale =
            f16_to_f32(*halves(page + layout.key_mean_scales + h * layout.key_mean_scales_head_bytes));
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
    const HeadShape& shape = layout.shape;
    const std::size_t h = index(head);
    const std::uint8_t* codes = page + layout.value_codes + h * layout.value_codes_head_bytes;
    Tile tile(shape);
    if (layout.value_bits != 16) {
        const int bits = layout.value_bits;
        decode_tile(
            value_policy(bits), 0, [&](int c, int t) { return value_place(bits, shape.padded_dim, c, t); },
            codes, halves(page + layout.value_scales + h * layout.value_scales_head_bytes), tile);
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
        for (int c = 0; c < shape.head_dim; ++c) {
            if (c & span) continue;
            const float a = x[c], b = x[c + span];
            x[c] = a + b;
            x[c + span] = a - b;
        }
    }
    const float factor = transform_factor(shape);
    for (int c = 0; c < shape.head_dim; ++c) x[c] = x[c] * factor;
}

}  // namespace kvsplit::codec
