// Typed access to a File's metadata.
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "base/printable.h"
#include "gguf/element.h"
#include "gguf/gguf.h"

namespace kvsplit::gguf {
namespace {

// Whether elements of this type can serve as T at all; a single value may still not fit.
template <typename T>
bool convertible(ValueType type) {
    if constexpr (std::is_same_v<T, bool>) return type == ValueType::kBool;
    if constexpr (std::is_same_v<T, std::string_view>) return type == ValueType::kString;
    if constexpr (std::is_floating_point_v<T>) return is_integer(type) || is_float(type);
    return is_integer(type);
}

// Converts the number at `from`; false if it does not fit. Only for convertible types.
template <typename T>
bool convert(ValueType type, const std::uint8_t* from, T& out) {
    return with_number(type, from, [&](auto number) {
        using N = decltype(number);
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
            if constexpr (std::is_integral_v<N> && !std::is_same_v<N, bool>) {
                if (!std::in_range<T>(number)) return false;
            } else {
                return false;
            }
        }
        out = static_cast<T>(number);
        return true;
    });
}

}  // namespace

const Value& File::require(std::string_view key) const {
    const Value* value = find(key);
    if (!value) fail(ErrorCode::kFormat, "{}: metadata '{}' is missing", path(), printable(key));
    return *value;
}

template <typename T>
T File::scalar(const Value& value, std::string_view wanted) const {
    if (value.is_array() || !convertible<T>(value.type)) {
        reject(value, fmt::format("is of type {}, not {}", value.type_text(), wanted));
    }
    T out{};
    if (!convert(value.type, value.data.data(), out)) {
        reject(value, fmt::format("{} does not fit into {}", to_display(value), wanted));
    }
    return out;
}

template <typename T>
std::vector<T> File::array(std::string_view key, std::string_view wanted) const {
    const Value& value = require(key);
    if (!value.is_array() || (!convertible<T>(value.element_type) && value.count > 0)) {
        reject(value, fmt::format("is of type {}, not an array of {}", value.type_text(), wanted));
    }
    std::vector<T> out(value.count);
    const std::size_t stride = value_bytes(value.element_type);
    for (std::size_t i = 0; i < out.size(); ++i) {
        T element{};
        if (!convert(value.element_type, value.data.data() + i * stride, element)) {
            reject(value, fmt::format("element {} does not fit into {}", i, wanted));
        }
        out[i] = element;
    }
    return out;
}

std::uint64_t File::get_u64(std::string_view key) const { return scalar<std::uint64_t>(require(key), "u64"); }
std::int64_t File::get_i64(std::string_view key) const { return scalar<std::int64_t>(require(key), "i64"); }
double File::get_f64(std::string_view key) const { return scalar<double>(require(key), "f64"); }
bool File::get_bool(std::string_view key) const { return scalar<bool>(require(key), "bool"); }

std::string File::get_string(std::string_view key) const {
    const Value& value = require(key);
    if (value.type != ValueType::kString) {
        reject(value, fmt::format("is of type {}, not string", value.type_text()));
    }
    return std::string(load_string(value.data.data()));
}

std::uint64_t File::get_u64_or(std::string_view key, std::uint64_t absent) const {
    return has(key) ? get_u64(key) : absent;
}
std::int64_t File::get_i64_or(std::string_view key, std::int64_t absent) const {
    return has(key) ? get_i64(key) : absent;
}
double File::get_f64_or(std::string_view key, double absent) const {
    return has(key) ? get_f64(key) : absent;
}
bool File::get_bool_or(std::string_view key, bool absent) const { return has(key) ? get_bool(key) : absent; }
std::string File::get_string_or(std::string_view key, std::string_view absent) const {
    return has(key) ? get_string(key) : std::string(absent);
}

std::vector<std::int64_t> File::get_i64_array(std::string_view key) const {
    return array<std::int64_t>(key, "i64");
}
std::vector<std::int32_t> File::get_i32_array(std::string_view key) const {
    return array<std::int32_t>(key, "i32");
}
std::vector<float> File::get_f32_array(std::string_view key) const { return array<float>(key, "f32"); }
std::vector<bool> File::get_bool_array(std::string_view key) const { return array<bool>(key, "bool"); }

std::vector<std::string_view> File::get_string_array(std::string_view key) const {
    const Value& value = require(key);
    if (!value.is_array() || (value.element_type != ValueType::kString && value.count > 0)) {
        reject(value, fmt::format("is of type {}, not an array of string", value.type_text()));
    }
    std::vector<std::string_view> out(value.count);
    const std::uint8_t* at = value.data.data();
    for (std::string_view& text : out) {
        text = load_string(at);
        at += 8 + text.size();
    }
    return out;
}

}  // namespace kvsplit::gguf
