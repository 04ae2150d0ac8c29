// What downloads are done with.
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
    std::chrono::milliseconds stall{60'000};          // without data after which a connection is given up
    Reports reports;                                  // to be set
    // Throws Error(kFormat) for a GGUF file that ends too early: asked where a server does not say how long
    // a file is. May be empty.
    std::function<void(const std::string& path)> check;

    // From KVSPLIT_CACHE, XDG_CACHE_HOME or HOME; HF_ENDPOINT; HF_TOKEN; KVSPLIT_RETRY_PAUSE and
    // KVSPLIT_STALL_TIMEOUT, in seconds. Throws Error: kNotFound where no folder can be told,
    // kInvalidArgument for values that make no sense.
    static Options from_environment();
};

}  // namespace kvsplit::fetch
