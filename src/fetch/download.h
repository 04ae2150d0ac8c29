// Download of one file: resumed where it was broken off, checked, and in its place only when it is whole.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

#include "fetch/http.h"
#include "fetch/progress.h"
#include "fetch/refusal.h"
#include "fetch/url.h"

namespace kvsplit::fetch {

struct Order {
    Url url;
    std::filesystem::path target;
    Access access;
    std::chrono::milliseconds first_pause{1000};      // between tries
    std::function<void(const std::string&)> check{};  // as in Options
};

// Loads a GGUF file to its target, whose folder is made, by way of a file beside it that ends in ".part".
// While another program loads the same file it waits, and is done when that one is. Broken connections and
// answers that may be better in a moment (503, 429, ...) are tried again. Throws Error: kNotFound and kIo for
// refusals, networks that stay silent and full disks; kFormat where the server sends anything but a GGUF
// file, or not what it stated, which is then deleted; kCancelled.
void download(Http& http, const Order& order, const Reports& reports);

}  // namespace kvsplit::fetch
