// KvSpec: the precision of a cache's keys and values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvsplit {

// Bits of a channel of keys and of values: 16 (f16, exact), 8, 6, 5, 4, 3 or 2 in any pair. 32 on both sides
// is f32, a reference for measurements.
struct KvWidths {
    int key_bits = 5;
    int value_bits = 4;

    friend bool operator==(const KvWidths&, const KvWidths&) = default;
};

// Steps of the codecs that can be turned off to measure their effect.
struct KvCodec {
    bool rotation = true;   // the Hadamard transform of keys and values
    bool mean = true;       // the page's mean is subtracted from keys
    bool smoothing = true;  // key channels are rescaled to balance them with the queries'
    bool search = true;     // scales are searched and fitted; false: the grid's starting step

    friend bool operator==(const KvCodec&, const KvCodec&) = default;
};

// Different widths for layers first to last, inclusive. Negative numbers count from the end: -1 is the last
// layer.
struct KvLayers {
    int first = 0;
    int last = -1;
    KvWidths widths{};

    friend bool operator==(const KvLayers&, const KvLayers&) = default;
};

// Thread-safe: a plain value.
struct KvSpec {
    int key_bits = 5;
    int value_bits = 4;
    int tail = 64;  // the latest tokens that stay exact, at least; a multiple of the page, 64 tokens
    int sinks = 4;  // the first tokens, which stay exact: 0 to 16
    KvCodec codec{};
    std::vector<KvLayers> layers{};  // exceptions; later ones override earlier ones

    static constexpr int kMaxTail = 4096;
    static constexpr int kMaxSinks = 16;

    // Parses a pair of widths, "f16", "f32", "k8v4", "k16v4", ..., and optional terms joined by '+':
    //   tail=N  sinks=N  rotation=off  mean=off  smoothing=off  search=off
    //   LAYERS=k8v8     0-1=k8v8, 5=k8v4, -2-=f16 (from the last but one to the last)
    // Never opens a file. Throws Error(kInvalidArgument), which lists what is understood and quotes at most
    // 40 bytes of the text.
    static KvSpec parse(std::string_view text);
    // The text that parse() reads: "f16" if both sides are exact, else "k8v4", and the terms that differ from
    // the defaults.
    std::string name() const;
    // Throws Error(kInvalidArgument) unless everything is in range.
    void validate() const;

    KvWidths widths() const { return {key_bits, value_bits}; }
    // The widths of one layer. Throws Error(kInvalidArgument) if `layers` names layers that a model of
    // n_layers lacks.
    KvWidths widths(int layer, int n_layers) const;

    friend bool operator==(const KvSpec&, const KvSpec&) = default;
};

// Widths that may be combined, widest first: 16, 8, 6, 5, 4, 3, 2.
const std::vector<int>& kv_widths();

}  // namespace kvsplit
