// Reading elements out of the packed bytes of a Value. Internal to this folder.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "gguf/value.h"

namespace kvsplit::gguf {

static_assert(std::endian::native == std::endian::little,
              "GGUF is read in place: little-endian machines only");

template <typename T>
T load(const std::uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

inline std::string_view as_text(std::span<const std::uint8_t> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The string at `from`, checked before: a u64 length, then that many bytes.
inline std::string_view load_string(const std::uint8_t* from) {
    return {reinterpret_cast<const char*>(from + 8), static_cast<std::size_t>(load<std::uint64_t>(from))};
}

// fn(number) with the element at `from` as its own C++ type; for the numeric types and bool.
template <typename F>
decltype(auto) with_number(ValueType type, const std::uint8_t* from, F&& fn) {
    switch (type) {
        case ValueType::kU8:
            return fn(load<std::uint8_t>(from));
        case ValueType::kI8:
            return fn(load<std::int8_t>(from));
        case ValueType::kU16:
            return fn(load<std::uint16_t>(from));
        case ValueType::kI16:
            return fn(load<std::int16_t>(from));
        case ValueType::kU32:
            return fn(load<std::uint32_t>(from));
        case ValueType::kI32:
            return fn(load<std::int32_t>(from));
        case ValueType::kU64:
            return fn(load<std::uint64_t>(from));
        case ValueType::kI64:
            return fn(load<std::int64_t>(from));
        case ValueType::kF32:
            return fn(load<float>(from));
        case ValueType::kF64:
            return fn(load<double>(from));
        default:
            return fn(*from != 0);
    }
}

inline bool is_integer(ValueType type) {
    return type <= ValueType::kI32 || type == ValueType::kU64 || type == ValueType::kI64;
}
inline bool is_float(ValueType type) { return type == ValueType::kF32 || type == ValueType::kF64; }

}  // namespace kvsplit::gguf
