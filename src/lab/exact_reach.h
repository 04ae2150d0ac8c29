// ExactReach: which tokens a cache still reads exactly (docs/design.md, "Sealed pages").
#pragma once

#include "kvsplit/model.h"

namespace kvsplit::lab {

class ExactReach {
  public:
    ExactReach(const Model& model, const KvSpec& spec);

    // Whether the cache has no codes at all.
    bool all_exact() const { return open_pages_ == 0; }
    // Whether attention at position `query` meets codes anywhere.
    bool reads_codes(int query) const { return open_pages_ > 0 && query >= open_pages_ * page_; }
    // Whether it reads `position` exactly. Ignores the first few tokens, which always stay exact.
    bool exact(int query, int position) const {
        return open_pages_ == 0 || query / page_ - position / page_ < open_pages_;
    }

  private:
    int page_;            // tokens
    int open_pages_ = 0;  // exact pages, including the query's own; 0: all
};

}  // namespace kvsplit::lab
