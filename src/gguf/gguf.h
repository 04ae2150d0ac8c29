// File: a GGUF model file (versions 2 and 3, little-endian), or the parts of one that is cut into several,
// open and checked.
//
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The constructor checks every count,
// length, offset and alignment before it uses it; what it accepts can be read without further checks. Memory
// taken is at most about ten times the size of the file's header (names and metadata); tensors stay in the
// file and are read as they are asked for. What another program does to the file meanwhile gives errors, no
// crash.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/input_file.h"
#include "gguf/tensor_type.h"
#include "gguf/value.h"

namespace kvsplit::gguf {

class Cursor;

struct Tensor {
    std::string name;
    TensorType type = TensorType::kF32;
    int n_dims = 0;
    std::array<std::int64_t, 4> shape{1, 1, 1, 1};  // shape[0] is the row length; unused dimensions are 1
    std::uint64_t bytes = 0;                        // of the data: rows() * row_bytes()
    std::uint64_t file_offset = 0;                  // of the data, in its part
    int part = 0;                                   // which file of a model that is cut into several, from 0
    // The data of a tensor that was made from another; of those of a File null: it is in the file.
    const std::uint8_t* made = nullptr;

    std::int64_t rows() const { return shape[1] * shape[2] * shape[3]; }
    std::int64_t elements() const { return shape[0] * rows(); }
    std::int64_t row_bytes() const;
};

// Thread-safe once made. Movable; views (Value, data, strings) survive a move and die with the File.
class File {
  public:
    // Throws Error: kNotFound, kIo, kFormat (damaged or not GGUF), kUnsupported (version 1, big-endian, ...).
    // Tensors of a known but unsupported type are accepted, see require_supported_types(). The path of one
    // part of a model that is cut into several ("name-00001-of-00005.gguf") opens them all, with the metadata
    // of the first.
    explicit File(std::string path, FileAccess access = FileAccess::kOnDemand);

    // Of the first part: as messages show it, and as the system knows it.
    const std::string& path() const { return shown_path_; }
    const std::string& raw_path() const { return input_.path(); }
    std::uint32_t version() const { return version_; }
    std::uint64_t alignment() const { return alignment_; }
    int n_parts() const { return static_cast<int>(parts_.size()) + 1; }
    std::uint64_t file_bytes() const;  // of all parts
    // The file that a tensor's data lies in.
    const InputFile& input(const Tensor& tensor) const;
    // Bytes [first, first + n) of a tensor's data, which must lie inside it: in memory, or read into scratch.
    // Valid until scratch changes. Throws Error(kIo) where the file cannot be read any more.
    const std::uint8_t* read(const Tensor& tensor, std::uint64_t first, std::size_t n,
                             std::vector<std::uint8_t>& scratch) const;
    // All of a tensor's data.
    std::vector<std::uint8_t> data(const Tensor& tensor) const;
    // The tensor's data will not be read any more (InputFile::release()).
    void release(const Tensor& tensor) const;
    // Throws Error(kIo) if a part has been written to since it was opened.
    void require_unchanged() const;

    // In the order of the file and of the parts. Names are unique.
    const std::vector<Tensor>& tensors() const { return tensors_; }
    const Tensor* find_tensor(std::string_view name) const;  // nullptr if absent
    const Tensor& tensor(std::string_view name) const;       // throws Error(kFormat) if absent
    // Throws Error(kUnsupported) naming the first tensor whose type blocks.h cannot read.
    void require_supported_types() const;

    // In the file's order. Keys are unique.
    const std::vector<Value>& metadata() const { return metadata_; }
    const Value* find(std::string_view key) const;  // nullptr if absent
    bool has(std::string_view key) const { return find(key) != nullptr; }

    // Typed access. Any integer type is accepted if the value fits; integers are accepted as f64. Throws
    // Error(kFormat) naming the file, the key and the type found, if the key is absent or its value does not
    // fit.
    std::uint64_t get_u64(std::string_view key) const;
    std::int64_t get_i64(std::string_view key) const;
    double get_f64(std::string_view key) const;
    bool get_bool(std::string_view key) const;
    std::string get_string(std::string_view key) const;

    // The same, with a default for an absent key. A present value of the wrong type still throws.
    std::uint64_t get_u64_or(std::string_view key, std::uint64_t absent) const;
    std::int64_t get_i64_or(std::string_view key, std::int64_t absent) const;
    double get_f64_or(std::string_view key, double absent) const;
    bool get_bool_or(std::string_view key, bool absent) const;
    std::string get_string_or(std::string_view key, std::string_view absent) const;

    // Arrays, with the same conversions (a scalar is not an array). Each call copies: keep the result.
    std::vector<std::int64_t> get_i64_array(std::string_view key) const;
    std::vector<std::int32_t> get_i32_array(std::string_view key) const;
    std::vector<float> get_f32_array(std::string_view key) const;
    std::vector<bool> get_bool_array(std::string_view key) const;
    std::vector<std::string_view> get_string_array(std::string_view key) const;  // views into the header

    // Throws Error(kFormat) "path @0x1a40: message" for an entry that the caller finds unacceptable.
    [[noreturn]] void reject(const Value& value, std::string_view message) const;
    [[noreturn]] void reject(const Tensor& tensor, std::string_view message) const;

  private:
    struct OnePart {};
    File(std::string path, FileAccess access, OnePart);
    void add_part(const std::string& path, FileAccess access, int n, int count);
    void require_number(std::uint64_t number) const;
    void index_tensors();
    void read_metadata(Cursor& in, std::uint64_t count);
    void read_tensors(Cursor& in, std::uint64_t count);
    const Value& require(std::string_view key) const;
    template <typename T>
    T scalar(const Value& value, std::string_view wanted) const;
    template <typename T>
    std::vector<T> array(std::string_view key, std::string_view wanted) const;

    InputFile input_;  // its front, with the header, is in memory
    std::string shown_path_;
    std::uint32_t version_ = 0;
    std::uint64_t alignment_ = 32;
    std::vector<Value> metadata_;
    std::vector<Tensor> tensors_;
    std::vector<std::uint32_t> metadata_by_key_;  // indices, sorted by key
    std::vector<std::uint32_t> tensors_by_name_;  // indices, sorted by name
    std::vector<File> parts_;                     // after the first; their tensors are in tensors_
};

}  // namespace kvsplit::gguf
