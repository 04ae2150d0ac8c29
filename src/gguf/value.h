// Value: one entry of a GGUF file's metadata, as a view into the file's header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kvsplit::gguf {

// The numbers are those in the file.
enum class ValueType : std::uint32_t {
    kU8 = 0,
    kI8 = 1,
    kU16 = 2,
    kI16 = 3,
    kU32 = 4,
    kI32 = 5,
    kF32 = 6,
    kBool = 7,
    kString = 8,
    kArray = 9,
    kU64 = 10,
    kI64 = 11,
    kF64 = 12,
};

// "u32", "string", ...; "unknown" for a number outside the enumeration.
std::string_view type_name(ValueType type);
// Bytes of one element; 0 for strings, arrays and unknown types.
std::size_t value_bytes(ValueType type);

// Everything here was checked when the file was opened. Valid while its File lives; threads may read freely.
struct Value {
    std::string_view key;
    ValueType type = ValueType::kU8;
    ValueType element_type = ValueType::kU8;  // of an array; for a scalar the type itself
    std::uint64_t count = 1;                  // elements of an array; 1 for a scalar
    std::uint64_t file_offset = 0;            // of the entry: where its key starts
    // The elements, packed and not aligned. Strings: each a u64 length, then that many bytes.
    std::span<const std::uint8_t> data;

    bool is_array() const { return type == ValueType::kArray; }
    // "u32", "array of 49152 string".
    std::string type_text() const;
};

// For people: numbers, escaped strings, arrays as "[a, b, ...]". Not much longer than max_chars.
std::string to_display(const Value& value, std::size_t max_chars = 80);

}  // namespace kvsplit::gguf
