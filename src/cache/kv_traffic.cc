#include "cache/kv_traffic.h"

#include <algorithm>

namespace kvsplit {
namespace {

std::size_t sealed_bytes_read(const codec::PageLayout& page) {
    const auto heads = static_cast<std::size_t>(page.n_kv_heads);
    const std::size_t sinks = page.sink_keys.bytes + page.sink_values.bytes;
    return page.key_bytes + page.value_bytes + heads * sinks;
}

}  // namespace

std::size_t kv_bytes_read(const KvCache& cache) {
    if (cache.length() == 0) return 0;
    const int last = cache.length() - 1;
    std::size_t bytes = 0;
    for (int i = 0; i < cache.geometry().n_layers(); ++i) {
        const LayerCache& layer = cache.layer(i);
        const CacheLayouts& layouts = cache.layouts(i);
        const std::size_t open_token =
            (layouts.open.key_bytes + layouts.open.value_bytes) / codec::kPageTokens;
        const CacheLayer& shape = cache.geometry().layer(i);
        const int first = shape.window > 0 ? std::max(0, last - shape.window + 1) : 0;
        std::size_t once = 0;  // by one of its readers
        for (int page = std::max(first / codec::kPageTokens, layer.first_sealed); page < layer.end_sealed();
             ++page) {
            once += sealed_bytes_read(layouts.sealed_page(page));
        }
        const int first_open = std::max(first, layer.first_open * codec::kPageTokens);
        once += static_cast<std::size_t>(std::max(0, last + 1 - first_open)) * open_token;
        bytes += once * static_cast<std::size_t>(shape.n_readers);
    }
    return bytes;
}

}  // namespace kvsplit
