#include "kvsplit/kv_spec.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "base/printable.h"
#include "codec/codec.h"

namespace kvsplit {
namespace {

using codec::kPageTokens;
constexpr std::string_view kUnderstood =
    "say f16, or k<bits>v<bits> with 16, 8, 6, 5, 4, 3 or 2 bits on each side, such as k8v4; then, if need "
    "be, terms such as +tail=128, +sinks=0, +mean=off, +0-1=k8v8";

[[noreturn]] void reject(std::string_view text, std::string_view why) {
    constexpr std::size_t kShown = 40;  // bytes: more does not help, and may be private
    fail(ErrorCode::kInvalidArgument, "'{}' is not a cache precision: {}", printable(text, kShown), why);
}

// Takes the leading digits off text; nothing if there are none or too many.
std::optional<int> take_number(std::string_view& text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || value < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

bool take(std::string_view& text, char c) {
    if (text.empty() || text[0] != c) return false;
    text.remove_prefix(1);
    return true;
}
bool take_letter(std::string_view& text, char lower) {
    if (text.empty() || (text[0] | 0x20) != lower) return false;
    text.remove_prefix(1);
    return true;
}

std::optional<KvWidths> read_pair(std::string_view text) {
    if (text == "f16" || text == "F16") return KvWidths{16, 16};
    if (text == "f32" || text == "F32") return KvWidths{32, 32};
    KvWidths widths;
    if (!take_letter(text, 'k')) return std::nullopt;
    const auto key = take_number(text);
    if (!key || !take_letter(text, 'v')) return std::nullopt;
    const auto value = take_number(text);
    if (!value || !text.empty()) return std::nullopt;
    return KvWidths{*key, *value};
}

// A layer's number, counted from the end after a '-'.
std::optional<int> take_layer(std::string_view& text) {
    const bool from_end = take(text, '-');
    const auto number = take_number(text);
    if (!number || (from_end && *number == 0)) return std::nullopt;
    return from_end ? -*number : *number;
}

std::optional<KvLayers> read_layers(std::string_view range, std::string_view pair) {
    KvLayers out;
    const auto first = take_layer(range);
    const auto widths = read_pair(pair);
    if (!first || !widths) return std::nullopt;
    out.first = out.last = *first;
    out.widths = *widths;
    if (range.empty()) return out;
    if (!take(range, '-')) return std::nullopt;
    out.last = -1;
    if (range.empty()) return out;
    const auto last = take_layer(range);
    if (!last || !range.empty()) return std::nullopt;
    out.last = *last;
    return out;
}

bool* codec_switch(KvCodec& codec, std::string_view key) {
    if (key == "rotation") return &codec.rotation;
    if (key == "mean") return &codec.mean;
    if (key == "smoothing") return &codec.smoothing;
    if (key == "search") return &codec.search;
    return nullptr;
}

void read_term(KvSpec& spec, std::string_view term) {
    const std::size_t equals = std::min(term.find('='), term.size());
    const std::string_view key = term.substr(0, equals);
    std::string_view value = term.substr(std::min(equals + 1, term.size()));
    if (key == "tail" || key == "sinks") {
        const auto number = take_number(value);
        if (!number || !value.empty()) reject(term, fmt::format("{} needs a number of tokens", key));
        (key == "tail" ? spec.tail : spec.sinks) = *number;
    } else if (bool* on = codec_switch(spec.codec, key)) {
        if (value != "on" && value != "off") reject(term, fmt::format("{} is on or off", key));
        *on = value == "on";
    } else if (const auto layers = read_layers(key, value)) {
        spec.layers.push_back(*layers);
    } else {
        reject(term, kUnderstood);
    }
}

std::string pair_name(const KvWidths& w) {
    if (w == KvWidths{16, 16}) return "f16";
    if (w == KvWidths{32, 32}) return "f32";
    return fmt::format("k{}v{}", w.key_bits, w.value_bits);
}

std::string range_name(const KvLayers& l) {
    if (l.first == l.last) return fmt::format("{}", l.first);
    if (l.last == -1) return fmt::format("{}-", l.first);
    return fmt::format("{}-{}", l.first, l.last);
}

void check_widths(const KvWidths& w) {
    const auto known = [](int bits) { return std::ranges::count(kv_widths(), bits) > 0; };
    if ((w.key_bits == 32) != (w.value_bits == 32)) {
        fail(ErrorCode::kInvalidArgument,
             "32 bits are for keys and values together (f32); else 16, 8, 6, 5, 4, 3 or 2");
    }
    if (w.key_bits == 32) return;
    for (const auto& [side, bits] : {std::pair{"keys", w.key_bits}, {"values", w.value_bits}}) {
        if (!known(bits)) {
            fail(ErrorCode::kInvalidArgument, "{} cannot have {} bits: 16, 8, 6, 5, 4, 3 and 2 are supported",
                 side, bits);
        }
    }
}

}  // namespace

const std::vector<int>& kv_widths() {
    static const std::vector<int> widths{16, 8, 6, 5, 4, 3, 2};
    return widths;
}

KvSpec KvSpec::parse(std::string_view text) {
    const std::string_view pair = text.substr(0, std::min(text.find('+'), text.size()));
    const auto widths = read_pair(pair);
    if (!widths) reject(pair, kUnderstood);
    KvSpec spec{widths->key_bits, widths->value_bits};
    for (std::size_t at = pair.size(); at < text.size();) {
        const std::size_t end = std::min(text.find('+', at + 1), text.size());
        read_term(spec, text.substr(at + 1, end - at - 1));
        at = end;
    }
    spec.validate();
    return spec;
}

std::string KvSpec::name() const {
    const KvSpec standard;
    std::string out = pair_name(widths());
    if (tail != standard.tail) out += fmt::format("+tail={}", tail);
    if (sinks != standard.sinks) out += fmt::format("+sinks={}", sinks);
    KvCodec switches = codec;
    for (const char* key : {"rotation", "mean", "smoothing", "search"}) {
        if (!*codec_switch(switches, key)) out += fmt::format("+{}=off", key);
    }
    for (const KvLayers& l : layers) out += fmt::format("+{}={}", range_name(l), pair_name(l.widths));
    return out;
}

void KvSpec::validate() const {
    check_widths(widths());
    if (tail < 0 || tail > kMaxTail || tail % kPageTokens != 0) {
        fail(ErrorCode::kInvalidArgument,
             "an exact tail of {} tokens: give a multiple of {} (a page, as the cache is coded page by page) "
             "up to {}",
             tail, kPageTokens, kMaxTail);
    }
    if (sinks < 0 || sinks > kMaxSinks) {
        fail(ErrorCode::kInvalidArgument, "{} exact first tokens (sinks): give 0 to {}", sinks, kMaxSinks);
    }
    for (const KvLayers& l : layers) {
        check_widths(l.widths);
        if ((l.widths.key_bits == 32) != (key_bits == 32)) {
            fail(ErrorCode::kInvalidArgument, "f32 is for all layers or none");
        }
        const bool same_end = (l.first < 0) == (l.last < 0);
        if (same_end && l.first > l.last) {
            fail(ErrorCode::kInvalidArgument, "layers {}: the first comes after the last", range_name(l));
        }
    }
}

KvWidths KvSpec::widths(int layer, int n_layers) const {
    KvWidths out = widths();
    for (const KvLayers& l : layers) {
        const int first = l.first < 0 ? l.first + n_layers : l.first;
        const int last = l.last < 0 ? l.last + n_layers : l.last;
        if (first < 0 || last >= n_layers || first > last) {
            fail(ErrorCode::kInvalidArgument, "layers {}: the model has layers 0 to {}", range_name(l),
                 n_layers - 1);
        }
        if (layer >= first && layer <= last) out = l.widths;
    }
    return out;
}

}  // namespace kvsplit
