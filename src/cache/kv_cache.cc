#include "cache/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace kvsplit {
namespace {

constexpr int P = codec::kPageTokens;
constexpr int T = codec::kOpenPages;
constexpr int S = codec::kSinkTokens;

// The first page that the token at `position`, or any later one, can see.
int first_visible_page(int window, int position) {
    return window > 0 ? std::max(0, position - window + 1) / P : 0;
}

// Positions below this are no longer served exactly once the token at length - 1 has been evaluated: the
// pages that must be open for them are sealed.
int lowest_exact_position(int length) {
    const int first_open = std::max(0, (length - 1) / P - (T - 1));
    return first_open == 0 ? 0 : (first_open + T - 1) * P;
}

bool is_exact(const KvSpec& spec) { return spec.key_bits >= 16 && spec.value_bits >= 16; }

std::size_t smoothing_bytes(const CacheGeometry& g, const KvSpec& spec) {
    if (spec.key_bits >= 16) return 0;
    return sizeof(float) * static_cast<std::size_t>(g.n_kv_heads) * static_cast<std::size_t>(g.head.head_dim);
}

void add_page(KvBytes& bytes, const codec::PageLayout& layout, bool as_exact) {
    if (as_exact) {
        bytes.exact += layout.bytes;
        return;
    }
    bytes.key += layout.key_bytes;
    bytes.value += layout.value_bytes;
    bytes.exact += layout.exact_bytes;
}

// The bytes of a layer whose pages begin at first_page, of which those from first_open on are open.
void add_layer(KvBytes& bytes, const CacheLayouts& layouts, const KvSpec& spec, int first_page,
               int first_open, int end_page) {
    for (int p = first_page; p < first_open; ++p) add_page(bytes, layouts.sealed_page(p), false);
    for (int p = first_open; p < end_page; ++p) add_page(bytes, layouts.open, !is_exact(spec));
}

KvBytes planned_bytes(const CacheGeometry& g, const KvSpec& spec, int n_tokens) {
    const CacheLayouts layouts(g, spec);
    KvBytes bytes;
    bytes.exact = smoothing_bytes(g, spec) * g.windows.size();
    if (n_tokens <= 0) return bytes;
    const int end_page = (n_tokens - 1) / P + 1;
    for (int window : g.windows) {
        const int first_page = first_visible_page(window, lowest_exact_position(n_tokens));
        const int first_open = is_exact(spec) ? first_page : std::max(first_page, end_page - T);
        add_layer(bytes, layouts, spec, first_page, std::max(0, first_open), end_page);
    }
    return bytes;
}

void fill_rates(KvStats& stats, const CacheGeometry& g, const KvSpec& spec, int n_tokens) {
    stats.f16_total = planned_bytes(g, KvSpec{16, 16}, n_tokens).total();
    stats.key_bits_per_element = codec::key_bits_per_element(spec.key_bits, g.head);
    stats.value_bits_per_element = codec::value_bits_per_element(spec.value_bits, g.head);
}

}  // namespace

CacheLayouts::CacheLayouts(const CacheGeometry& g, const KvSpec& spec)
    : open(codec::page_layout(spec.key_bits == 32 ? 32 : 16, spec.key_bits == 32 ? 32 : 16, g.head,
                              g.n_kv_heads, false)),
      sealed(codec::page_layout(spec.key_bits, spec.value_bits, g.head, g.n_kv_heads, false)),
      first_sealed(codec::page_layout(spec.key_bits, spec.value_bits, g.head, g.n_kv_heads, true)) {}

KvCache::KvCache(const CacheGeometry& geometry, const KvSpec& spec, PageMemory memory)
    : geometry_(geometry), spec_(spec), layouts_(geometry, spec), memory_(std::move(memory)) {
    layers_.resize(geometry_.windows.size());
    trim(0);
}

void KvCache::grow_open(int layer_index, int n) {
    LayerCache& layer = this->layer(layer_index);
    const int end = (length_ + n - 1) / P + 1;
    while (layer.end_open() < end) {
        Page page = memory_.allocate(layouts_.open.bytes);
        // Tokens that are not there yet get weight 0, which must not meet a NaN.
        std::memset(page.get(), 0, layouts_.open.bytes);
        layer.open.push_back(std::move(page));
    }
}

int KvCache::pages_to_seal(int layer_index, int n) const {
    if (!quantised()) return 0;
    return std::max(0, (length_ + n - 1) / P - (T - 1) - layer(layer_index).first_open);
}

void KvCache::retire(int layer_index, int n) {
    LayerCache& layer = this->layer(layer_index);
    const int end = length_ + n;
    const int keep = first_visible_page(geometry_.windows[static_cast<std::size_t>(layer_index)],
                                        lowest_exact_position(end));
    if (quantised()) {
        const int drop_sealed =
            std::clamp(keep - layer.first_sealed, 0, static_cast<int>(layer.sealed.size()));
        layer.sealed.erase(layer.sealed.begin(), layer.sealed.begin() + drop_sealed);
        layer.first_sealed += drop_sealed;
    }
    const int first_open = quantised() ? layer.end_sealed() : keep;
    const int drop_open = std::clamp(first_open - layer.first_open, 0, static_cast<int>(layer.open.size()));
    layer.open.erase(layer.open.begin(), layer.open.begin() + drop_open);
    layer.first_open += drop_open;
}

bool KvCache::can_trim_to(int n) const {
    for (int i = 0; i < geometry_.n_layers(); ++i) {
        const LayerCache& layer = this->layer(i);
        const int first_page = layer.sealed.empty() ? layer.first_open : layer.first_sealed;
        if (first_visible_page(geometry_.windows[static_cast<std::size_t>(i)], n) < first_page) return false;
        if (quantised() && layer.first_open > 0 && n < (layer.first_open + T - 1) * P) return false;
        // The sums behind the smoothing vector cannot be undone.
        if (quantised_keys() && !layer.smoothing_frozen && n > S && n < length_) return false;
    }
    return true;
}

int KvCache::trim(int n) {
    if (n >= length_ && n > 0) return length_;
    if (n <= 0 || !can_trim_to(n)) n = 0;
    const std::size_t smoothing = quantised_keys() ? smoothing_bytes(geometry_, spec_) / sizeof(float) : 0;
    for (LayerCache& layer : layers_) {
        if (n == 0) {
            layer = LayerCache{};
            layer.smoothing.assign(smoothing, 0.0f);
        } else {
            while (layer.end_open() > (n - 1) / P + 1) layer.open.pop_back();
            if (n <= S && !layer.smoothing_frozen) layer.smoothing.assign(smoothing, 0.0f);
        }
    }
    length_ = n;
    return n;
}

KvCache KvCache::fork() const {
    KvCache copy = *this;
    for (LayerCache& layer : copy.layers_) {
        for (Page& page : layer.open) {
            Page own = copy.memory_.allocate(layouts_.open.bytes);
            std::memcpy(own.get(), page.get(), layouts_.open.bytes);
            page = std::move(own);
        }
    }
    return copy;
}

KvStats KvCache::stats() const {
    KvStats stats;
    for (const LayerCache& layer : layers_) {
        const int first_page = layer.sealed.empty() ? layer.first_open : layer.first_sealed;
        add_layer(stats.bytes, layouts_, spec_, first_page, layer.first_open, layer.end_open());
        stats.bytes.exact += layer.smoothing.size() * sizeof(float);
    }
    fill_rates(stats, geometry_, spec_, length_);
    return stats;
}

KvStats plan_cache(const CacheGeometry& geometry, const KvSpec& spec, int n_tokens) {
    KvStats stats;
    stats.bytes = planned_bytes(geometry, spec, n_tokens);
    fill_rates(stats, geometry, spec, n_tokens);
    return stats;
}

}  // namespace kvsplit
