// PackedMatrix: weights rearranged once, at load, into the order in which the matmul kernels read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "backend/cpu/aligned_buffer.h"
#include "backend/cpu/packed_format.h"
#include "base/thread_pool.h"
#include "gguf/tensor_type.h"

namespace kvsplit::cpu {

// A matrix of `rows` outputs as it lies in a GGUF file: rows follow each other without gaps. Needed only
// while packing.
struct WeightSource {
    gguf::TensorType type;
    std::span<const std::uint8_t> data;  // at least rows * row bytes, unless they have to be read
    std::int64_t rows;
    // Bytes [first, first + n) of the rows, from memory or read into scratch. Called by many threads at once.
    // May throw.
    using Read = std::function<const std::uint8_t*(std::size_t first, std::size_t n,
                                                   std::vector<std::uint8_t>& scratch)>;
    Read read = {};

    const std::uint8_t* bytes(std::size_t first, std::size_t n, std::vector<std::uint8_t>& scratch) const {
        return read ? read(first, n, scratch) : data.data() + first;
    }
};

// Immutable once made; any number of threads may read it.
class PackedMatrix {
  public:
    // Rows of one type. The streams of row group i begin at codes + i * code_stride and scales + i *
    // scale_stride.
    struct Segment {
        PackedFormat format;
        int first_row;
        int rows;
        int n_groups;  // of 16 rows
        const std::uint8_t* codes;
        const std::uint8_t* scales;
        std::size_t code_stride;   // bytes
        std::size_t scale_stride;  // bytes
    };

    PackedMatrix() = default;

    // The same sizes and segments as pack(), without memory or contents. Throws like pack().
    static PackedMatrix plan(std::span<const WeightSource> sources, std::int64_t cols,
                             Activations activations);

    // The sources stacked by rows, possibly of different types, all `cols` wide. Throws Error: kUnsupported
    // for a type without a packed form, kInvalidArgument for sizes that do not fit the type's blocks or the
    // data; and what reading the sources throws.
    static PackedMatrix pack(ThreadPool& pool, std::span<const WeightSource> sources, std::int64_t cols,
                             Activations activations);

    int rows() const { return rows_; }
    int cols() const { return cols_; }
    int k_groups() const { return k_groups_; }
    Activations activations() const { return activations_; }
    std::span<const Segment> segments() const { return segments_; }
    std::size_t bytes() const { return bytes_; }  // of codes and scales

    // The dequantised row, out: (cols). The values are exactly those that the file's format defines.
    void get_row(int row, float* out) const;

  private:
    int rows_ = 0, cols_ = 0, k_groups_ = 0;
    Activations activations_ = Activations::kInt8;
    std::size_t bytes_ = 0;
    std::vector<Segment> segments_;
    AlignedBuffer buffer_;
};

// Whether pack() accepts the type.
bool can_pack(gguf::TensorType type);

}  // namespace kvsplit::cpu
