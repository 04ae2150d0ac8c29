#include "gguf/value.h"

#include <fmt/core.h>

#include <type_traits>

#include "base/printable.h"
#include "gguf/element.h"

namespace kvsplit::gguf {

std::string_view type_name(ValueType type) {
    switch (type) {
        case ValueType::kU8:
            return "u8";
        case ValueType::kI8:
            return "i8";
        case ValueType::kU16:
            return "u16";
        case ValueType::kI16:
            return "i16";
        case ValueType::kU32:
            return "u32";
        case ValueType::kI32:
            return "i32";
        case ValueType::kF32:
            return "f32";
        case ValueType::kBool:
            return "bool";
        case ValueType::kString:
            return "string";
        case ValueType::kArray:
            return "array";
        case ValueType::kU64:
            return "u64";
        case ValueType::kI64:
            return "i64";
        case ValueType::kF64:
            return "f64";
    }
    return "unknown";
}

std::size_t value_bytes(ValueType type) {
    switch (type) {
        case ValueType::kU8:
        case ValueType::kI8:
        case ValueType::kBool:
            return 1;
        case ValueType::kU16:
        case ValueType::kI16:
            return 2;
        case ValueType::kU32:
        case ValueType::kI32:
        case ValueType::kF32:
            return 4;
        case ValueType::kU64:
        case ValueType::kI64:
        case ValueType::kF64:
            return 8;
        case ValueType::kString:
        case ValueType::kArray:
            break;
    }
    return 0;
}

std::string Value::type_text() const {
    if (!is_array()) return std::string(type_name(type));
    return fmt::format("array of {} {}", count, type_name(element_type));
}

std::string to_display(const Value& value, std::size_t max_chars) {
    if (value.type == ValueType::kString) return printable(load_string(value.data.data()), max_chars);
    const auto number_text = [](auto number) { return fmt::format("{}", number); };
    if (!value.is_array()) return with_number(value.type, value.data.data(), number_text);

    std::string out = "[";
    const std::uint8_t* at = value.data.data();
    for (std::uint64_t i = 0; i < value.count; ++i) {
        if (i > 0) out += ", ";
        if (out.size() >= max_chars) return out + "...]";
        if (value.element_type == ValueType::kString) {
            const std::string_view text = load_string(at);
            out += fmt::format("\"{}\"", printable(text, max_chars - out.size()));
            at += 8 + text.size();
        } else {
            out += with_number(value.element_type, at, number_text);
            at += value_bytes(value.element_type);
        }
    }
    return out + "]";
}

}  // namespace kvsplit::gguf
