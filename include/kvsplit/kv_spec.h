// KvSpec: which precision the keys and the values of a cache have.
#pragma once

#include <string>
#include <string_view>

namespace kvsplit {

// Thread-safe: a plain value.
struct KvSpec {
    int key_bits = 8;    // 16 (f16, exact), 8 or 4; 32 on both sides: f32, a reference for measurements
    int value_bits = 4;  // likewise

    // Reads "f16", "f32", "k8v4", "k16v4", ... Throws Error(kInvalidArgument) that lists what is understood.
    static KvSpec parse(std::string_view text);
    // "f16" when both sides are exact, else "k8v4".
    std::string name() const;
    // Throws Error(kInvalidArgument) unless both widths are supported.
    void validate() const;

    friend bool operator==(const KvSpec&, const KvSpec&) = default;
};

}  // namespace kvsplit
