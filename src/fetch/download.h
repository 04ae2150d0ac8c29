// Download of one file: resumed where it was broken off, checked, and in its place only when it is whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "fetch/http.h"

namespace kvsplit::fetch {

struct Progress {
    enum class Stage { kDownload, kCheck };
    Stage stage = Stage::kDownload;
    std::string file;         // its name alone
    std::uint64_t done = 0;   // bytes
    std::uint64_t total = 0;  // 0: not known
};
// Returning false stops: Error(kCancelled) is thrown, and what was loaded stays for the next time.
using OnProgress = std::function<bool(const Progress&)>;

// What the server says of a file before it is loaded.
struct RemoteFile {
    std::string url;
    std::string sha256;       // "" if the server does not say
    std::string identity;     // changes when the contents do; "" if the server does not say
    std::uint64_t bytes = 0;  // 0: not known
};

// Asks for a file without loading it. Throws Error: kNotFound for 404, kIo with what to do for other refusals
// and for networks that do not answer.
RemoteFile inspect(Http& http, const std::string& url, const OnProgress& on_progress);

// Throws the Error for a reply that is none.
[[noreturn]] void refuse(const std::string& url, const Reply& reply);

// Loads the file to `target`, whose folder is made, by way of a file beside it that ends in ".part". Waits
// and tries again when the connection breaks. Throws Error: kIo (no answer, no room on the disk, ...) and
// kFormat where the contents are not what the server stated; the wrong file is deleted then.
void download(Http& http, const RemoteFile& remote, const std::filesystem::path& target,
              const OnProgress& on_progress);

}  // namespace kvsplit::fetch
