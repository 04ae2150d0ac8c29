// GgufWriter: makes small GGUF files for tests, valid ones and, through the raw hooks, broken ones.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "gguf/tensor_type.h"
#include "gguf/value.h"

namespace kvsplit::test {

using Bytes = std::vector<std::uint8_t>;

template <typename T>
void put(Bytes& out, T value) {
    const std::size_t at = out.size();
    out.resize(at + sizeof value);
    std::memcpy(out.data() + at, &value, sizeof value);
}

inline void put_string(Bytes& out, std::string_view text) {
    put<std::uint64_t>(out, text.size());
    out.insert(out.end(), text.begin(), text.end());
}

template <typename T>
constexpr gguf::ValueType value_type_of() {
    using gguf::ValueType;
    if constexpr (std::is_same_v<T, bool>)
        return ValueType::kBool;
    else if constexpr (std::is_same_v<T, float>)
        return ValueType::kF32;
    else if constexpr (std::is_same_v<T, double>)
        return ValueType::kF64;
    else if constexpr (std::is_convertible_v<T, std::string_view>)
        return ValueType::kString;
    else if constexpr (sizeof(T) == 1)
        return std::is_signed_v<T> ? ValueType::kI8 : ValueType::kU8;
    else if constexpr (sizeof(T) == 2)
        return std::is_signed_v<T> ? ValueType::kI16 : ValueType::kU16;
    else if constexpr (sizeof(T) == 4)
        return std::is_signed_v<T> ? ValueType::kI32 : ValueType::kU32;
    else
        return std::is_signed_v<T> ? ValueType::kI64 : ValueType::kU64;
}

template <typename T>
void put_element(Bytes& out, const T& value) {
    if constexpr (std::is_convertible_v<T, std::string_view>) {
        put_string(out, value);
    } else {
        put(out, value);
    }
}

class GgufWriter {
  public:
    std::uint32_t version = 3;
    std::uint64_t alignment = 32;  // of the data; add("general.alignment", ...) yourself to declare it
    std::optional<std::uint64_t> tensor_count;    // written instead of the true count
    std::optional<std::uint64_t> metadata_count;  // likewise

    // A scalar or a string; the type in the file is T's own.
    template <typename T>
    GgufWriter& add(std::string_view key, const T& value) {
        Bytes payload;
        put_element(payload, value);
        return add_raw(key, value_type_of<T>(), payload);
    }

    template <typename T>
    GgufWriter& add_array(std::string_view key, const std::vector<T>& values) {
        Bytes payload;
        put(payload, static_cast<std::uint32_t>(value_type_of<T>()));
        put<std::uint64_t>(payload, values.size());
        for (std::size_t i = 0; i < values.size(); ++i) put_element<T>(payload, values[i]);
        return add_raw(key, gguf::ValueType::kArray, payload);
    }

    // payload: what follows the type in the file.
    GgufWriter& add_raw(std::string_view key, gguf::ValueType type, const Bytes& payload) {
        put_string(metadata_, key);
        put(metadata_, static_cast<std::uint32_t>(type));
        metadata_.insert(metadata_.end(), payload.begin(), payload.end());
        ++n_metadata_;
        return *this;
    }

    // dims[0] is the row length. Data goes after the previous tensor's, aligned, unless an offset is given.
    GgufWriter& tensor(std::string_view name, gguf::TensorType type, const std::vector<std::int64_t>& dims,
                       const Bytes& data, std::optional<std::uint64_t> offset = {}) {
        data_.resize((data_.size() + alignment - 1) / alignment * alignment);
        put_string(infos_, name);
        put(infos_, static_cast<std::uint32_t>(dims.size()));
        for (const std::int64_t size : dims) put(infos_, size);
        put(infos_, static_cast<std::uint32_t>(type));
        put(infos_, offset.value_or(data_.size()));
        data_.insert(data_.end(), data.begin(), data.end());
        ++n_tensors_;
        return *this;
    }

    GgufWriter& tensor_f32(std::string_view name, const std::vector<std::int64_t>& dims,
                           const std::vector<float>& values) {
        Bytes data(values.size() * sizeof(float));
        if (!values.empty()) std::memcpy(data.data(), values.data(), data.size());
        return tensor(name, gguf::TensorType::kF32, dims, data);
    }

    Bytes bytes() const {
        Bytes out = {'G', 'G', 'U', 'F'};
        put(out, version);
        put(out, tensor_count.value_or(n_tensors_));
        put(out, metadata_count.value_or(n_metadata_));
        out.insert(out.end(), metadata_.begin(), metadata_.end());
        out.insert(out.end(), infos_.begin(), infos_.end());
        out.resize((out.size() + alignment - 1) / alignment * alignment);
        out.insert(out.end(), data_.begin(), data_.end());
        return out;
    }

  private:
    Bytes metadata_, infos_, data_;
    std::uint64_t n_metadata_ = 0, n_tensors_ = 0;
};

// A file with given contents, deleted with the object. In memory where the system has a place for that: a
// disk makes tests of many small files slow.
class TempFile {
  public:
    explicit TempFile(const Bytes& contents = {}) {
        const char* dir = std::getenv("TMPDIR");
        if (!dir || !*dir) dir = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        path_ = std::string(dir) + "/kvsplit_test_XXXXXX";
        const int fd = ::mkstemp(path_.data());
        if (fd < 0) std::abort();
        ::close(fd);
        write(contents);
    }
    ~TempFile() { ::unlink(path_.c_str()); }
    TempFile(const TempFile&) = delete;
    TempFile& operator=(const TempFile&) = delete;

    void write(const Bytes& contents) {
        std::ofstream file(path_, std::ios::binary | std::ios::trunc);
        file.write(reinterpret_cast<const char*>(contents.data()),
                   static_cast<std::streamsize>(contents.size()));
        file.close();
        if (!file) std::abort();
    }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace kvsplit::test
