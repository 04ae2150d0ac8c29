#include "kvsplit/kv_spec.h"

#include <charconv>
#include <optional>

#include "base/error.h"

namespace kvsplit {
namespace {

bool supported(int bits) { return bits == 32 || bits == 16 || bits == 8 || bits == 4; }

// Reads the digits at the front of text and removes them; nothing if there are none or too many.
std::optional<int> take_number(std::string_view& text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || value < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

bool take_letter(std::string_view& text, char lower) {
    if (text.empty() || (text[0] | 0x20) != lower) return false;
    text.remove_prefix(1);
    return true;
}

std::optional<KvSpec> read_pair(std::string_view text) {
    KvSpec spec;
    if (!take_letter(text, 'k')) return std::nullopt;
    const auto key = take_number(text);
    if (!key || !take_letter(text, 'v')) return std::nullopt;
    const auto value = take_number(text);
    if (!value || !text.empty()) return std::nullopt;
    spec.key_bits = *key;
    spec.value_bits = *value;
    return spec;
}

}  // namespace

KvSpec KvSpec::parse(std::string_view text) {
    if (text == "f16" || text == "F16") return KvSpec{16, 16};
    if (text == "f32" || text == "F32") return KvSpec{32, 32};
    const auto spec = read_pair(text);
    if (!spec) {
        fail(ErrorCode::kInvalidArgument,
             "'{}' is not a cache precision: say f16, or k<bits>v<bits> with 16, 8 or 4 bits on each side, "
             "such as k8v4",
             text);
    }
    spec->validate();
    return *spec;
}

std::string KvSpec::name() const {
    if (key_bits == 16 && value_bits == 16) return "f16";
    if (key_bits == 32 && value_bits == 32) return "f32";
    return fmt::format("k{}v{}", key_bits, value_bits);
}

void KvSpec::validate() const {
    if (!supported(key_bits)) {
        fail(ErrorCode::kInvalidArgument, "keys cannot have {} bits: 16, 8 and 4 are supported", key_bits);
    }
    if ((key_bits == 32) != (value_bits == 32)) {
        fail(ErrorCode::kInvalidArgument, "32 bits are for keys and values together (f32); else 16, 8 or 4");
    }
    if (!supported(value_bits)) {
        fail(ErrorCode::kInvalidArgument, "values cannot have {} bits: 16, 8 and 4 are supported",
             value_bits);
    }
}

}  // namespace kvsplit
