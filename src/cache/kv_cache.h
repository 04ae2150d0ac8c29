// KvCache: one sequence's keys and values, as open and sealed pages of all attending layers, and the state of
// its recurrent layers, if any.
//
// The rule (docs/design.md): position t reads position s exactly iff t/P - s/P < T or s < S, else the sealed
// codes. The rule depends only on positions, so results do not depend on how a text is split into batches.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "cache/page_memory.h"
#include "cache/recurrent_state.h"
#include "codec/codec.h"
#include "kvsplit/kv_spec.h"
#include "kvsplit/model.h"

namespace kvsplit {

// What one layer stores per token.
struct CacheLayer {
    int n_kv_heads = 0;
    codec::KvHead head;
    int window = 0;     // the sliding window in tokens, 0 for none
    int n_readers = 1;  // layers of the model that read it: its own and those that share it

    // Elements per token with the width k of --kv, and with the width v.
    double wide_elements() const { return double(n_kv_heads) * head.wide_side().head_dim; }
    double other_elements() const { return double(n_kv_heads) * head.other_side().head_dim; }
};

// What a model's caches have in common.
struct CacheGeometry {
    std::vector<CacheLayer> layers;  // those that keep keys and values
    RecurrentShape recurrent{};

    // For a model whose layers differ only in their windows.
    static CacheGeometry uniform(int n_kv_heads, const codec::KvHead& head, const std::vector<int>& windows);

    int n_layers() const { return static_cast<int>(layers.size()); }
    const CacheLayer& layer(int i) const { return layers[static_cast<std::size_t>(i)]; }
    double elements() const;  // per token, over all layers
};

// The three page layouts shared by layers with the same heads and widths.
struct CacheLayouts {
    KvWidths widths;
    codec::PageLayout open, sealed, first_sealed;

    CacheLayouts(const CacheLayer& layer, const KvSpec& spec, const KvWidths& pair);
    bool serve(const CacheLayer& layer, const KvWidths& pair) const;
    const codec::PageLayout& sealed_page(int page) const { return page == 0 ? first_sealed : sealed; }
    bool coded() const { return sealed.key_bits < 16 || sealed.value_bits < 16; }
    bool coded_keys() const { return sealed.key_bits < 16; }
};

// The layouts of all layers of one (geometry, spec).
class LayerLayouts {
  public:
    // Throws as CacheLayouts does, and Error(kInvalidArgument) if the spec names layers that do not exist.
    LayerLayouts(const CacheGeometry& geometry, const KvSpec& spec);
    const CacheLayouts& layer(int i) const { return kinds_[kind_[static_cast<std::size_t>(i)]]; }

  private:
    std::vector<CacheLayouts> kinds_;  // distinct ones
    std::vector<std::size_t> kind_;    // per layer: index into kinds_
};

// One layer of one sequence. Pages are numbered by position / P. A page is in exactly one of the two lists,
// except inside attention(), which seals pages whose open form its own queries still read.
struct LayerCache {
    int first_sealed = 0;  // page number of sealed[0]; earlier pages have left the window
    std::vector<Page> sealed;
    int first_open = 0;  // page number of open[0]
    std::vector<Page> open;
    // (n_kv_heads, key padded_dim), only with quantised keys. Until the first page is sealed: sums of q^2
    // over the tokens S .. T*P-1 seen so far, averaged over the heads of the group. After that: the smoothing
    // vector s.
    std::vector<float> smoothing;
    bool smoothing_frozen = false;

    int end_sealed() const { return first_sealed + static_cast<int>(sealed.size()); }
    int end_open() const { return first_open + static_cast<int>(open.size()); }
};

// Not thread-safe; one owner at a time.
class KvCache {
  public:
    KvCache(const CacheGeometry& geometry, const KvSpec& spec, PageMemory memory);

    const CacheGeometry& geometry() const { return geometry_; }
    const KvSpec& spec() const { return spec_; }
    const CacheLayouts& layouts(int layer) const { return layouts_.layer(layer); }
    int open_pages() const { return open_pages_; }  // T
    int sinks() const { return spec_.sinks; }       // S
    int length() const { return length_; }
    LayerCache& layer(int i) { return layers_[static_cast<std::size_t>(i)]; }
    const LayerCache& layer(int i) const { return layers_[static_cast<std::size_t>(i)]; }
    RecurrentState& recurrent() { return recurrent_; }

    // A step appends n tokens: for each layer grow_open(), then the backend fills, seals and attends for all
    // readers of the layer, then retire(). After all layers, advance().
    void grow_open(int layer, int n);
    // The number of pages that a step of n tokens seals in this layer, from first_open on.
    int pages_to_seal(int layer, int n) const;
    Page allocate_sealed(int layer, int page) {
        return memory_.allocate(layouts(layer).sealed_page(page).bytes);
    }
    // Drops open pages that are sealed, and pages that no later token can see.
    void retire(int layer, int n);
    void advance(int n) { length_ += n; }

    // As Session::trim: keeps the first n tokens if that is exact, else none. Returns the new length. A
    // recurrent state can only be kept whole.
    int trim(int n);
    KvCache fork() const;

    // Sizes of what is allocated now.
    KvStats stats() const;

  private:
    bool can_trim_to(int n) const;

    CacheGeometry geometry_;
    KvSpec spec_;
    LayerLayouts layouts_;
    int open_pages_;
    PageMemory memory_;
    int length_ = 0;
    std::vector<LayerCache> layers_;
    RecurrentState recurrent_;
};

// The stats() of a cache of n_tokens, computed without making one.
KvStats plan_cache(const CacheGeometry& geometry, const KvSpec& spec, int n_tokens);
// The same, layer by layer.
std::vector<KvBytes> plan_layers(const CacheGeometry& geometry, const KvSpec& spec, int n_tokens);

}  // namespace kvsplit
