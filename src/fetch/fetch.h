// fetch_model(): a local path for a model that is named by a hub or an address.
#pragma once

#include <string>

#include "fetch/options.h"

namespace kvsplit::fetch {

// A path that is not remote is returned as it is. Files that are there already are not asked for again, so
// that no network is needed; all parts of a model that is cut into several are loaded. Throws Error:
// kCancelled when on_progress says so, kInvalidArgument for addresses that make no sense, and as download()
// does.
std::string fetch_model(const std::string& path, const Options& options);

}  // namespace kvsplit::fetch
