// Settings of downloads.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "fetch/progress.h"

namespace kvsplit::fetch {

struct Options {
    std::string cache;                                // folder
    std::string endpoint = "https://huggingface.co";  // of the hub, without a slash at the end
    std::string token;                                // of the hub; "" for none
    std::chrono::milliseconds first_pause{1000};      // before the second try; doubles with each
    std::chrono::milliseconds stall{60'000};          // time without data before giving up
    Reports reports;                                  // must be set
    // Throws Error(kFormat) for a truncated GGUF file; called if the server does not state the size. May be
    // empty.
    std::function<void(const std::string& path)> check;

    // From KVSPLIT_CACHE, XDG_CACHE_HOME or HOME; HF_ENDPOINT; HF_TOKEN; KVSPLIT_RETRY_PAUSE and
    // KVSPLIT_STALL_TIMEOUT, in seconds. Throws Error: kNotFound if no folder is known, kInvalidArgument for
    // invalid values.
    static Options from_environment();
};

}  // namespace kvsplit::fetch
