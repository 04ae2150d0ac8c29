#include "cache/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace kvsplit {
namespace {

constexpr int P = codec::kPageTokens;

// The first page that the token at `position`, or any later one, can see.
int first_visible_page(int window, int position) {
    return window > 0 ? std::max(0, position - window + 1) / P : 0;
}

// After evaluating the token at length - 1, positions below this can no longer be evaluated exactly: the
// pages they read as open are sealed.
int lowest_exact_position(int length, int open_pages) {
    const int first_open = std::max(0, (length - 1) / P - (open_pages - 1));
    return first_open == 0 ? 0 : (first_open + open_pages - 1) * P;
}

int open_pages(const KvSpec& spec) { return 1 + spec.tail / P; }

std::size_t smoothing_floats(const CacheLayouts& layouts) {
    if (!layouts.coded_keys()) return 0;
    const codec::PageLayout& page = layouts.sealed;
    return static_cast<std::size_t>(page.n_kv_heads) * static_cast<std::size_t>(page.head.key.padded_dim);
}

// Adds n pages of one layout.
void add_pages(KvBytes& bytes, const codec::PageLayout& layout, int n, bool as_exact) {
    const auto count = static_cast<std::size_t>(std::max(0, n));
    if (as_exact) {
        bytes.exact += count * layout.bytes;
        return;
    }
    bytes.key += count * layout.key_bytes;
    bytes.value += count * layout.value_bytes;
    bytes.exact += count * layout.exact_bytes;
}

// Adds a layer's pages: sealed from first_page on, open from first_open to end_page - 1.
void add_layer(KvBytes& bytes, const CacheLayouts& layouts, int first_page, int first_open, int end_page) {
    const bool with_first = first_page == 0 && first_open > 0;
    add_pages(bytes, layouts.first_sealed, with_first, false);
    add_pages(bytes, layouts.sealed, first_open - first_page - with_first, false);
    add_pages(bytes, layouts.open, end_page - first_open, layouts.coded());
}

KvBytes planned_bytes(const CacheGeometry& g, const KvSpec& spec, int n_tokens) {
    KvBytes bytes;
    for (const KvBytes& layer : plan_layers(g, spec, n_tokens)) {
        bytes.key += layer.key;
        bytes.value += layer.value;
        bytes.exact += layer.exact;
    }
    if (n_tokens > 0) bytes.exact += g.recurrent.bytes();
    return bytes;
}

void fill_rates(KvStats& stats, const CacheGeometry& g, const KvSpec& spec, int n_tokens) {
    KvSpec f16{16, 16};
    f16.tail = spec.tail;  // decides when pages leave a window
    stats.f16_total = planned_bytes(g, f16, n_tokens).total();
    if (g.layers.empty()) return;
    double key = 0, value = 0, keys = 0, values = 0;
    for (int i = 0; i < g.n_layers(); ++i) {
        const CacheLayer& layer = g.layer(i);
        const KvWidths widths = spec.widths(i, g.n_layers());
        key += layer.wide_elements() * codec::key_bits_per_element(widths.key_bits, layer.head);
        value += layer.other_elements() * codec::value_bits_per_element(widths.value_bits, layer.head);
        keys += layer.wide_elements();
        values += layer.other_elements();
    }
    stats.key_bits_per_element = key / keys;
    stats.value_bits_per_element = value / values;
    stats.key_share = keys / (keys + values);
}

}  // namespace

CacheGeometry CacheGeometry::uniform(int n_kv_heads, const codec::KvHead& head,
                                     const std::vector<int>& windows) {
    CacheGeometry geometry;
    for (const int window : windows) geometry.layers.push_back({n_kv_heads, head, window});
    return geometry;
}

double CacheGeometry::elements() const {
    double sum = 0;
    for (const CacheLayer& layer : layers) sum += layer.wide_elements() + layer.other_elements();
    return sum;
}

CacheLayouts::CacheLayouts(const CacheLayer& layer, const KvSpec& spec, const KvWidths& pair)
    : widths(pair),
      open(codec::page_layout(pair.key_bits == 32 ? KvWidths{32, 32} : KvWidths{16, 16}, layer.head,
                              layer.n_kv_heads, 0)),
      sealed(codec::page_layout(pair, layer.head, layer.n_kv_heads, 0, spec.codec)),
      first_sealed(codec::page_layout(pair, layer.head, layer.n_kv_heads, spec.sinks, spec.codec)) {}

bool CacheLayouts::serve(const CacheLayer& layer, const KvWidths& pair) const {
    return widths == pair && open.n_kv_heads == layer.n_kv_heads && open.head == layer.head;
}

LayerLayouts::LayerLayouts(const CacheGeometry& g, const KvSpec& spec) {
    for (int i = 0; i < g.n_layers(); ++i) {
        const KvWidths widths = spec.widths(i, g.n_layers());
        std::size_t kind = 0;
        while (kind < kinds_.size() && !kinds_[kind].serve(g.layer(i), widths)) ++kind;
        if (kind == kinds_.size()) kinds_.emplace_back(g.layer(i), spec, widths);
        kind_.push_back(kind);
    }
}

KvCache::KvCache(const CacheGeometry& geometry, const KvSpec& spec, PageMemory memory)
    : geometry_(geometry),
      spec_(spec),
      layouts_(geometry, spec),
      open_pages_(::kvsplit::open_pages(spec)),
      memory_(std::move(memory)),
      recurrent_(geometry.recurrent, memory_) {
    layers_.resize(geometry_.layers.size());
    trim(0);
}

void KvCache::grow_open(int layer_index, int n) {
    LayerCache& layer = this->layer(layer_index);
    const int end = (length_ + n - 1) / P + 1;
    while (layer.end_open() < end) {
        const std::size_t bytes = layouts(layer_index).open.bytes;
        Page page = memory_.allocate(bytes);
        // Missing tokens get weight 0, and 0 * NaN would be NaN.
        std::memset(page.get(), 0, bytes);
        layer.open.push_back(std::move(page));
    }
}

int KvCache::pages_to_seal(int layer_index, int n) const {
    if (!layouts(layer_index).coded()) return 0;
    return std::max(0, (length_ + n - 1) / P - (open_pages_ - 1) - layer(layer_index).first_open);
}

void KvCache::retire(int layer_index, int n) {
    LayerCache& layer = this->layer(layer_index);
    const int end = length_ + n;
    const int keep =
        first_visible_page(geometry_.layer(layer_index).window, lowest_exact_position(end, open_pages_));
    const bool coded = layouts(layer_index).coded();
    if (coded) {
        const int drop_sealed =
            std::clamp(keep - layer.first_sealed, 0, static_cast<int>(layer.sealed.size()));
        layer.sealed.erase(layer.sealed.begin(), layer.sealed.begin() + drop_sealed);
        layer.first_sealed += drop_sealed;
    }
    const int first_open = coded ? layer.end_sealed() : keep;
    const int drop_open = std::clamp(first_open - layer.first_open, 0, static_cast<int>(layer.open.size()));
    layer.open.erase(layer.open.begin(), layer.open.begin() + drop_open);
    layer.first_open += drop_open;
}

bool KvCache::can_trim_to(int n) const {
    if (!recurrent_.empty()) return false;
    for (int i = 0; i < geometry_.n_layers(); ++i) {
        const LayerCache& layer = this->layer(i);
        const int first_page = layer.sealed.empty() ? layer.first_open : layer.first_sealed;
        if (first_visible_page(geometry_.layer(i).window, n) < first_page) return false;
        const CacheLayouts& l = layouts(i);
        if (l.coded() && layer.first_open > 0 && n < (layer.first_open + open_pages_ - 1) * P) return false;
        // Tokens cannot be taken out of the sums for the smoothing vector.
        if (l.coded_keys() && !layer.smoothing_frozen && n > sinks() && n < length_) return false;
    }
    return true;
}

int KvCache::trim(int n) {
    if (n >= length_ && n > 0) return length_;
    if (n <= 0 || !can_trim_to(n)) n = 0;
    for (int i = 0; i < geometry_.n_layers(); ++i) {
        LayerCache& layer = this->layer(i);
        const std::size_t smoothing = smoothing_floats(layouts(i));
        if (n == 0) {
            layer = LayerCache{};
            layer.smoothing.assign(smoothing, 0.0f);
        } else {
            while (layer.end_open() > (n - 1) / P + 1) layer.open.pop_back();
            if (n <= sinks() && !layer.smoothing_frozen) layer.smoothing.assign(smoothing, 0.0f);
        }
    }
    if (n == 0) recurrent_.clear();
    length_ = n;
    return n;
}

KvCache KvCache::fork() const {
    KvCache copy = *this;
    copy.recurrent_ = recurrent_.fork();
    for (int i = 0; i < geometry_.n_layers(); ++i) {
        const std::size_t bytes = layouts(i).open.bytes;
        for (Page& page : copy.layer(i).open) {
            Page own = copy.memory_.allocate(bytes);
            std::memcpy(own.get(), page.get(), bytes);
            page = std::move(own);
        }
    }
    return copy;
}

KvStats KvCache::stats() const {
    KvStats stats;
    for (int i = 0; i < geometry_.n_layers(); ++i) {
        const LayerCache& layer = this->layer(i);
        const int first_page = layer.sealed.empty() ? layer.first_open : layer.first_sealed;
        add_layer(stats.bytes, layouts(i), first_page, layer.first_open, layer.end_open());
        stats.bytes.exact += layer.smoothing.size() * sizeof(float);
    }
    stats.recurrent = recurrent_.bytes();
    stats.bytes.exact += stats.recurrent;
    fill_rates(stats, geometry_, spec_, length_);
    return stats;
}

std::vector<KvBytes> plan_layers(const CacheGeometry& g, const KvSpec& spec, int n_tokens) {
    const LayerLayouts all(g, spec);
    const int T = open_pages(spec);
    std::vector<KvBytes> bytes(g.layers.size());
    for (int i = 0; i < g.n_layers(); ++i) {
        const CacheLayouts& layouts = all.layer(i);
        KvBytes& layer = bytes[static_cast<std::size_t>(i)];
        layer.exact = smoothing_floats(layouts) * sizeof(float);
        if (n_tokens <= 0) continue;
        const int end_page = (n_tokens - 1) / P + 1;
        const int visible = first_visible_page(g.layer(i).window, lowest_exact_position(n_tokens, T));
        const int first_open = layouts.coded() ? std::max(0, end_page - T) : visible;
        add_layer(layer, layouts, std::min(visible, first_open), first_open, end_page);
    }
    return bytes;
}

KvStats plan_cache(const CacheGeometry& geometry, const KvSpec& spec, int n_tokens) {
    KvStats stats;
    stats.bytes = planned_bytes(geometry, spec, n_tokens);
    if (n_tokens > 0) stats.recurrent = geometry.recurrent.bytes();
    fill_rates(stats, geometry, spec, n_tokens);
    return stats;
}

}  // namespace kvsplit
