#include "text/unicode_classes.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "text/utf8.h"

namespace kvsplit::text {
namespace {

struct Range {
    char32_t first, last, stand_in;
};

#include "text/unicode_classes.inc"

// Which characters have a stand-in: one bit per character below U+10000, then one per kBlock characters.
constexpr char32_t kPlane = 0x10000, kBlock = 64;
constexpr std::size_t bit_of(char32_t c) { return c < kPlane ? c : kPlane + (c - kPlane) / kBlock; }
constexpr auto kHaveStandIns = [] {
    std::array<std::uint64_t, bit_of(0x110000) / 64> bits{};
    for (const Range& range : kRanges) {
        for (std::size_t i = bit_of(range.first); i <= bit_of(range.last); ++i) {
            bits[i / 64] |= std::uint64_t{1} << (i % 64);
        }
    }
    return bits;
}();

}  // namespace

std::string_view unicode_version() { return kUnicodeVersion; }

char32_t class_stand_in(char32_t c) {
    const std::size_t i = bit_of(c);
    if ((kHaveStandIns[i / 64] >> (i % 64) & 1) == 0) return c;
    const auto* const range = std::lower_bound(std::begin(kRanges), std::end(kRanges), c,
                                               [](const Range& r, char32_t x) { return r.last < x; });
    return range != std::end(kRanges) && range->first <= c ? range->stand_in : c;
}

std::optional<std::string> with_stand_ins(std::string_view text) {
    constexpr char32_t kSymbol = 1;
    std::optional<std::string> out;
    for (std::size_t at = 0; at < text.size();) {
        if (static_cast<signed char>(text[at]) >= 0) {
            ++at;
            continue;
        }
        const Utf8Step step = next_utf8(text.substr(at));
        const bool broken = step.state != Utf8State::kCharacter;
        const char32_t stand_in = broken ? kSymbol : class_stand_in(step.code_point);
        if (broken || stand_in != step.code_point) {
            std::string bytes;
            if (broken) bytes.assign(step.length, static_cast<char>(kSymbol));
            if (!broken) append_utf8(stand_in, bytes);
            if (!out) out = text;
            out->replace(at, step.length, bytes);
        }
        at += step.length;
    }
    return out;
}

}  // namespace kvsplit::text
