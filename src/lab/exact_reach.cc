#include "lab/exact_reach.h"

#include "codec/codec.h"

namespace kvsplit::lab {

ExactReach::ExactReach(const Model& model, const KvSpec& spec) : page_(codec::kPageTokens) {
    constexpr int kMostPages = 1024;
    const KvStats one = model.plan(spec, 1);
    if (one.key_bits_per_element >= 16 && one.value_bits_per_element >= 16) return;
    // The first page is sealed when the first token of page T is there.
    for (int pages = 1; pages < kMostPages && open_pages_ == 0; ++pages) {
        const KvBytes bytes = model.plan(spec, pages * page_ + 1).bytes;
        if (bytes.key + bytes.value > 0) open_pages_ = pages;
    }
}

}  // namespace kvsplit::lab
