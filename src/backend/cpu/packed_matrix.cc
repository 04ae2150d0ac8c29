#include "backend/cpu/packed_matrix.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/check.h"
#include "base/error.h"
#include "base/half.h"
#include "gguf/blocks.h"

namespace kvsplit::cpu {
namespace {

std::optional<PackedFormat> format_of(gguf::TensorType type) {
    using gguf::TensorType;
    switch (type) {
        case TensorType::kQ4_0:
            return PackedFormat::kQ4_0;
        case TensorType::kQ4_1:
            return PackedFormat::kQ4_1;
        case TensorType::kQ5_0:
            return PackedFormat::kQ5_0;
        case TensorType::kQ5_1:
            return PackedFormat::kQ5_1;
        case TensorType::kQ8_0:
            return PackedFormat::kQ8_0;
        case TensorType::kQ2_K:
            return PackedFormat::kQ2_K;
        case TensorType::kQ3_K:
            return PackedFormat::kQ3_K;
        case TensorType::kQ4_K:
            return PackedFormat::kQ4_K;
        case TensorType::kQ5_K:
            return PackedFormat::kQ5_K;
        case TensorType::kQ6_K:
            return PackedFormat::kQ6_K;
        case TensorType::kIQ4_NL:
            return PackedFormat::kIQ4_NL;
        case TensorType::kIQ4_XS:
            return PackedFormat::kIQ4_XS;
        case TensorType::kMXFP4:
            return PackedFormat::kMXFP4;
        case TensorType::kNVFP4:
            return PackedFormat::kNVFP4;
        case TensorType::kTQ1_0:
        case TensorType::kTQ2_0:
            return PackedFormat::kTQ;
        case TensorType::kIQ2_XXS:
            return PackedFormat::kIQ2_XXS;
        case TensorType::kIQ2_XS:
        case TensorType::kIQ2_S:
            return PackedFormat::kIQ2;
        case TensorType::kIQ3_XXS:
            return PackedFormat::kIQ3_XXS;
        case TensorType::kIQ3_S:
            return PackedFormat::kIQ3_S;
        case TensorType::kIQ1_S:
            return PackedFormat::kIQ1_S;
        case TensorType::kIQ1_M:
            return PackedFormat::kIQ1_M;
        case TensorType::kQ1_0:
            return PackedFormat::kQ1_0;
        case TensorType::kF16:
            return PackedFormat::kF16;
        case TensorType::kBF16:
            return PackedFormat::kBF16;
        case TensorType::kF32:
            return PackedFormat::kF32;
        default:
            return std::nullopt;
    }
}

std::size_t row_bytes(gguf::TensorType type, std::int64_t cols) {
    return static_cast<std::size_t>(cols / gguf::block_size(type) * gguf::block_bytes(type));
}

void check_source(const WeightSource& source, std::int64_t cols) {
    if (!can_pack(source.type)) {
        fail(ErrorCode::kUnsupported, "weights of type {} cannot be multiplied",
             gguf::type_name(source.type));
    }
    constexpr std::int64_t kLimit = 1 << 28;  // keeps every offset and index far from overflow
    if (cols <= 0 || cols > kLimit || source.rows <= 0 || source.rows > kLimit ||
        cols % gguf::block_size(source.type) != 0) {
        fail(ErrorCode::kInvalidArgument, "a matrix of {} x {} cannot be stored as {}", source.rows, cols,
             gguf::type_name(source.type));
    }
    if (!source.read &&
        source.data.size() / row_bytes(source.type, cols) < static_cast<std::size_t>(source.rows)) {
        fail(ErrorCode::kInvalidArgument, "{} bytes are too few for {} x {} weights of type {}",
             source.data.size(), source.rows, cols, gguf::type_name(source.type));
    }
}

// The 16 rows of a group from unpack_row(); missing rows have scales of zero.
struct UnpackedGroup {
    gguf::AffineRow row[kRowGroup];
    int present = 0;
};

// Offsets of the planes of codes in a k-group, by their bits (packed_format.h).
struct Planes {
    int pairs, singles;
    explicit Planes(int bits) : pairs(bits & 4 ? 256 : 0), singles(pairs + (bits & 2 ? 128 : 0)) {}
};

// code(row, column of the k-group)
template <typename Code>
void pack_codes(int bits, Code code, std::uint8_t* to) {
    std::memset(to, 0, static_cast<std::size_t>(bits) * kRowGroup * kKGroup / 8);
    const Planes at(bits);
    for (int u = 0; u < 8; ++u) {
        for (int i = 0; i < 64; ++i) {
            unsigned q = code(i / 4, 4 * u + i % 4);
            if (bits == 8) {
                to[64 * u + i] = static_cast<std::uint8_t>(q);
                continue;
            }
            if (bits & 4) {
                to[64 * (u / 2) + i] |= static_cast<std::uint8_t>((q & 15) << (u % 2 ? 4 : 0));
                q >>= 4;
            }
            if (bits & 2) {
                to[at.pairs + 64 * (u / 4) + i] |= static_cast<std::uint8_t>((q & 3) << (2 * (u % 4)));
                q >>= 2;
            }
            if (bits & 1) to[at.singles + 8 * u + i / 8] |= static_cast<std::uint8_t>((q & 1) << (i % 8));
        }
    }
}

// The inverse of pack_codes for one element: row r, column k of the k-group.
unsigned code_at(int bits, const std::uint8_t* from, int r, int k) {
    const int u = k / 4, i = 4 * r + k % 4;
    if (bits == 8) return from[64 * u + i];
    const Planes at(bits);
    unsigned q = 0;
    if (bits & 1) q = from[at.singles + 8 * u + i / 8] >> (i % 8) & 1u;
    if (bits & 2) q = q << 2 | (from[at.pairs + 64 * (u / 4) + i] >> (2 * (u % 4)) & 3u);
    if (bits & 4) q = q << 4 | (from[64 * (u / 2) + i] >> (u % 2 ? 4 : 0) & 15u);
    return q;
}

// Writes the scales of a group, each number as [16], one per row.
class ScaleWriter {
  public:
    ScaleWriter(const UnpackedGroup& group, std::uint8_t* to) : group_(group), to_(to) {}

    void d(int i) { put(&Row::d, i); }
    void m(int i) { put(&Row::m, i); }
    void dmin(int i) { put(&Row::dmin, i); }
    void sc(int i) { put(&Row::sc, i); }
    void mn(int i) { put(&Row::mn, i); }
    void exponent(int i) {
        put([at = index(i)](const Row& row) { return static_cast<std::uint8_t>(row.d[at]); });
    }
    // Four bits of each.
    void sc_and_mn(int i) {
        put([at = index(i)](const Row& row) {
            return static_cast<std::uint8_t>(row.sc[at] | row.mn[at] << 4);
        });
    }

  private:
    using Row = gguf::AffineRow;

    static std::size_t index(int i) { return static_cast<std::size_t>(i); }

    template <typename F>
    void put(F number) {
        using T = decltype(number(group_.row[0]));
        for (int r = 0; r < kRowGroup; ++r, to_ += sizeof(T)) {
            const T value = r < group_.present ? number(group_.row[r]) : T{};
            std::memcpy(to_, &value, sizeof(T));
        }
    }
    template <typename T>
    void put(std::vector<T> Row::*field, int i) {
        put([field, at = index(i)](const Row& row) { return (row.*field)[at]; });
    }

    const UnpackedGroup& group_;
    std::uint8_t* to_;
};

void pack_scales(const UnpackedGroup& group, ScaleLayout layout, int k_groups, std::uint8_t* to) {
    ScaleWriter write(group, to);
    for (int g = 0; g < k_groups; ++g) {
        if (is_super(layout) && g % 8 == 0) {
            write.d(g / 8);
            if (has_min(layout)) write.dmin(g / 8);
        }
        switch (layout) {
            case ScaleLayout::kNone:
                break;
            case ScaleLayout::kGroup:
                write.d(g);
                break;
            case ScaleLayout::kGroupMin:
                write.d(g);
                write.m(g);
                break;
            case ScaleLayout::kGroupE8M0:
                write.exponent(g);
                break;
            case ScaleLayout::kHalves:
                for (const int h : {0, 1}) write.d(2 * g + h);
                break;
            case ScaleLayout::kBlock:
                if (g % 8 == 0) write.d(g / 8);
                break;
            case ScaleLayout::kSuper:
                write.sc(g);
                break;
            case ScaleLayout::kSuperMin:
                write.sc(g);
                write.mn(g);
                break;
            case ScaleLayout::kSuperHalves:
                for (const int h : {0, 1}) write.sc(2 * g + h);
                break;
            case ScaleLayout::kSuperHalvesMin:
                for (const int h : {0, 1}) write.sc_and_mn(2 * g + h);
                break;
        }
    }
}

// The rows of a group, as they lie in the file.
struct StoredGroup {
    const std::uint8_t* rows;
    int present;
};

void pack_integer_group(gguf::TensorType type, StoredGroup stored, std::int64_t cols, FormatLayout layout,
                        std::uint8_t* codes, std::uint8_t* scales) {
    UnpackedGroup group;
    group.present = stored.present;
    const std::size_t stride = row_bytes(type, cols);
    for (int r = 0; r < group.present; ++r)
        gguf::unpack_row(type, stored.rows + static_cast<std::size_t>(r) * stride, cols, group.row[r]);
    const int k_groups = static_cast<int>(cols / kKGroup);
    for (int g = 0; g < k_groups; ++g, codes += code_bytes(layout)) {
        pack_codes(
            layout.bits,
            [&](int r, int k) {
                return r < group.present ? group.row[r].codes[static_cast<std::size_t>(g * kKGroup + k)]
                                         : static_cast<std::uint8_t>(layout.levels.used ? 0 : layout.zero);
            },
            codes);
    }
    pack_scales(group, layout.scales, k_groups, scales);
}

void pack_float_group(StoredGroup stored, std::int64_t cols, int k_groups, std::size_t size,
                      std::uint8_t* codes) {
    std::memset(codes, 0, static_cast<std::size_t>(k_groups) * kKGroup * kRowGroup * size);
    const std::size_t n = static_cast<std::size_t>(cols);
    for (int r = 0; r < stored.present; ++r) {
        const std::uint8_t* row = stored.rows + static_cast<std::size_t>(r) * n * size;
        for (std::size_t k = 0; k < n; ++k) {
            std::memcpy(codes + (k * kRowGroup + static_cast<std::size_t>(r)) * size, row + k * size, size);
        }
    }
}

std::size_t scale_bytes(ScaleLayout layout, int k_groups) {
    // Layouts with numbers per 8 k-groups have a multiple of 8 k-groups: their types have blocks of 256.
    return scale_offset(layout, k_groups);
}

// A segment's codes come before its scales; the next segment begins on a cache line.
std::size_t codes_size(const PackedMatrix::Segment& s) {
    return s.code_stride * static_cast<std::size_t>(s.n_groups);
}
std::size_t scales_size(const PackedMatrix::Segment& s) {
    return (s.scale_stride * static_cast<std::size_t>(s.n_groups) + 63) / 64 * 64;
}

// Groups of rows that are read together: few reads, and pieces for all threads.
int groups_at_once(std::size_t group_bytes, int n_groups, int n_threads) {
    constexpr std::size_t kBytes = std::size_t{64} << 10;
    const auto fitting = static_cast<int>(std::min<std::size_t>(kBytes / group_bytes, INT32_MAX));
    return std::clamp(std::min(fitting, n_groups / (4 * n_threads)), 1, n_groups);
}

// Where a segment is written to.
struct Target {
    std::uint8_t *codes, *scales;
};

void pack_segment(ThreadPool& pool, const WeightSource& source, std::int64_t cols,
                  const PackedMatrix::Segment& s, Target to,
                  std::vector<std::vector<std::uint8_t>>& scratch) {
    const FormatLayout layout = layout_of(s.format);
    const std::size_t stride = row_bytes(source.type, cols), group_bytes = kRowGroup * stride;
    const int k_groups = static_cast<int>((cols + kKGroup - 1) / kKGroup);
    const int at_once = groups_at_once(group_bytes, s.n_groups, pool.size());
    pool.for_each((s.n_groups + at_once - 1) / at_once, [&](int item, int thread) {
        const int begin = item * at_once, end = std::min(begin + at_once, s.n_groups);
        const int rows = std::min(end * kRowGroup, s.rows) - begin * kRowGroup;
        const std::uint8_t* stored =
            source.bytes(static_cast<std::size_t>(begin) * group_bytes,
                         static_cast<std::size_t>(rows) * stride, scratch[static_cast<std::size_t>(thread)]);
        for (int g = begin; g < end; ++g, stored += group_bytes) {
            const StoredGroup group{stored, std::min(kRowGroup, s.rows - g * kRowGroup)};
            std::uint8_t* codes = to.codes + s.code_stride * static_cast<std::size_t>(g);
            if (is_integer(s.format)) {
                pack_integer_group(source.type, group, cols, layout, codes,
                                   to.scales + s.scale_stride * static_cast<std::size_t>(g));
            } else {
                pack_float_group(group, cols, k_groups, static_cast<std::size_t>(layout.bits / 8), codes);
            }
        }
    });
}

float f16_at(const std::uint8_t* p, int index) {
    std::uint16_t bits;
    std::memcpy(&bits, p + 2 * index, 2);
    return f16_to_f32(bits);
}

std::int8_t as_i8(std::uint8_t byte) { return static_cast<std::int8_t>(byte); }

// scale and offset of row r of the group in k-group g, half h (of 16 columns): weight = scale * code + offset
struct Affine {
    float scale, offset;
};
Affine affine_at(ScaleLayout layout, const std::uint8_t* scales, int g, int h, int r) {
    const std::uint8_t* p = scales + scale_offset(layout, g);
    switch (layout) {
        case ScaleLayout::kGroup:
            return {f16_at(p, r), 0};
        case ScaleLayout::kGroupMin:
            return {f16_at(p, r), f16_at(p + 32, r)};
        case ScaleLayout::kGroupE8M0:
            return {gguf::scale_value(gguf::ScaleNumber::kE8M0, p[r]), 0};
        case ScaleLayout::kHalves:
            return {f16_at(p + 32 * h, r), 0};
        case ScaleLayout::kBlock:
            return {f16_at(p, r), 0};
        case ScaleLayout::kSuper:
            return {f16_at(p, r) * static_cast<float>(as_i8(p[32 + 16 * (g % 8) + r])), 0};
        case ScaleLayout::kSuperMin: {
            const std::uint8_t* sub = p + 64 + 32 * (g % 8);
            return {f16_at(p, r) * static_cast<float>(sub[r]),
                    -(f16_at(p + 32, r) * static_cast<float>(sub[16 + r]))};
        }
        case ScaleLayout::kSuperHalves: {
            const std::uint8_t sc = p[32 + 32 * (g % 8) + 16 * h + r];
            return {f16_at(p, r) * static_cast<float>(as_i8(sc)), 0};
        }
        case ScaleLayout::kSuperHalvesMin: {
            const std::uint8_t pair = p[64 + 32 * (g % 8) + 16 * h + r];
            return {f16_at(p, r) * static_cast<float>(pair & 15),
                    -(f16_at(p + 32, r) * static_cast<float>(pair >> 4))};
        }
        case ScaleLayout::kNone:
            break;
    }
    return {1, 0};
}

float float_at(PackedFormat format, const std::uint8_t* codes, std::size_t index) {
    if (format == PackedFormat::kF32) {
        float value;
        std::memcpy(&value, codes + 4 * index, 4);
        return value;
    }
    std::uint16_t bits;
    std::memcpy(&bits, codes + 2 * index, 2);
    if (format == PackedFormat::kF16) return f16_to_f32(bits);
    const std::uint32_t wide = std::uint32_t{bits} << 16;
    float value;
    std::memcpy(&value, &wide, 4);
    return value;
}

}  // namespace

bool can_pack(gguf::TensorType type) { return format_of(type).has_value(); }

PackedMatrix PackedMatrix::plan(std::span<const WeightSource> sources, std::int64_t cols,
                                Activations activations) {
    std::int64_t rows = 0;
    for (const WeightSource& source : sources) {
        check_source(source, cols);
        rows += source.rows;
    }
    if (rows == 0 || rows > INT32_MAX) fail(ErrorCode::kInvalidArgument, "a matrix of {} rows", rows);

    PackedMatrix m;
    m.rows_ = static_cast<int>(rows);
    m.cols_ = static_cast<int>(cols);
    m.k_groups_ = static_cast<int>((cols + kKGroup - 1) / kKGroup);
    m.activations_ = activations;
    int first_row = 0;
    for (const WeightSource& source : sources) {
        Segment s{};
        s.format = *format_of(source.type);
        s.first_row = first_row;
        s.rows = static_cast<int>(source.rows);
        s.n_groups = (s.rows + kRowGroup - 1) / kRowGroup;
        s.code_stride = code_bytes(layout_of(s.format)) * static_cast<std::size_t>(m.k_groups_);
        s.scale_stride = scale_bytes(layout_of(s.format).scales, m.k_groups_);
        first_row += s.rows;
        m.bytes_ += codes_size(s) + scales_size(s);
        m.segments_.push_back(s);
    }
    return m;
}

PackedMatrix PackedMatrix::pack(ThreadPool& pool, std::span<const WeightSource> sources, std::int64_t cols,
                                Activations activations) {
    PackedMatrix m = plan(sources, cols, activations);
    m.buffer_ = AlignedBuffer(m.bytes_);
    std::vector<std::vector<std::uint8_t>> scratch(static_cast<std::size_t>(pool.size()));
    std::uint8_t* at = m.buffer_.data();
    for (std::size_t i = 0; i < sources.size(); ++i) {
        Segment& s = m.segments_[i];
        s.codes = at;
        s.scales = at + codes_size(s);
        pack_segment(pool, sources[i], cols, s, {at, at + codes_size(s)}, scratch);
        at += codes_size(s) + scales_size(s);
    }
    return m;
}

void PackedMatrix::get_row(int row, float* out) const {
    KVSPLIT_CHECK(row >= 0 && row < rows_);
    const auto segment = std::find_if(segments_.begin(), segments_.end(),
                                      [&](const Segment& s) { return row < s.first_row + s.rows; });
    const Segment& s = *segment;
    const FormatLayout layout = layout_of(s.format);
    const int local = row - s.first_row, r = local % kRowGroup;
    const std::uint8_t* codes = s.codes + s.code_stride * static_cast<std::size_t>(local / kRowGroup);
    const std::uint8_t* scales = s.scales + s.scale_stride * static_cast<std::size_t>(local / kRowGroup);
    if (!is_integer(s.format)) {
        for (int k = 0; k < cols_; ++k) {
            out[k] = float_at(s.format, codes,
                              static_cast<std::size_t>(k) * kRowGroup + static_cast<std::size_t>(r));
        }
        return;
    }
    for (int k = 0; k < cols_; k += 16) {
        const int g = k / kKGroup, h = k / 16 % 2;
        const std::uint8_t* group = codes + code_bytes(layout) * static_cast<std::size_t>(g);
        const Affine affine = affine_at(layout.scales, scales, g, h, r);
        for (int j = 0; j < 16; ++j) {
            const int q = code_value(layout, code_at(layout.bits, group, r, 16 * h + j));
            const float product = affine.scale * layout.factor * static_cast<float>(q);
            out[k + j] = has_min(layout.scales) ? product + affine.offset : product;
        }
    }
}

}  // namespace kvsplit::cpu
