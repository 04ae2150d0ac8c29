// Downloads one file: resumes, checks, and moves the file into place only once it is complete.
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

// Downloads a GGUF file to its target by way of a ".part" file beside it; creates the target's folder. If
// another program is downloading the same file, waits for it to finish instead. Retries broken connections
// and temporary failures (503, 429, ...). Throws Error: kNotFound and kIo for refusals, silent networks and
// full disks; kFormat if the server sends anything but a GGUF file, or not the stated one, which is then
// deleted; kCancelled.
void download(Http& http, const Order& order, const Reports& reports);

}  // namespace kvsplit::fetch
