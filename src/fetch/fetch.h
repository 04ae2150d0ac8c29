// fetch_model(): the local path of a model named by an address.
#pragma once

#include <string>

#include "fetch/options.h"

namespace kvsplit::fetch {

// Returns a path that is not remote unchanged. Uses files in the cache without network access; downloads all
// parts of a split model. Throws Error: kCancelled if on_progress returns false, kInvalidArgument for
// malformed addresses, and as download() does.
std::string fetch_model(const std::string& path, const Options& options);

}  // namespace kvsplit::fetch
