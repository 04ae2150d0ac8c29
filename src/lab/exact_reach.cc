#include "lab/exact_reach.h"

#include "codec/codec.h"

namespace kvsplit::lab {

ExactReach::ExactReach(const Model& model, const KvSpec& spec) : page_(codec::kPageTokens) {
    const KvStats stats = model.plan(spec, 1);
    const bool coded = stats.key_bits_per_element < 16 || stats.value_bits_per_element < 16;  // in any layer
    if (coded) open_pages_ = 1 + spec.tail / page_;
}

}  // namespace kvsplit::lab
