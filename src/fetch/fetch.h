// fetch_model(): a local path for a model that is named by a hub or an URL.
#pragma once

#include <functional>
#include <string>

#include "fetch/download.h"

namespace kvsplit::fetch {

struct Options {
    std::string cache;                                // folder
    std::string endpoint = "https://huggingface.co";  // of the hub, without a slash at the end
    std::string token;                                // of the hub; "" for none
    OnProgress on_progress;
    std::function<void(const std::string&)> on_note;  // what was decided for the user

    // From KVSPLIT_CACHE, XDG_CACHE_HOME or HOME; HF_ENDPOINT; HF_TOKEN. Throws Error(kNotFound) where no
    // folder can be told.
    static Options from_environment();
};

// A path that is not remote is returned as it is. Files that are there already are not asked for again, so
// that no network is needed; all parts of a model that is cut into several are loaded. Throws Error:
// kCancelled when on_progress says so, kInvalidArgument for addresses that make no sense, and as download()
// does.
std::string fetch_model(const std::string& path, const Options& options);

}  // namespace kvsplit::fetch
