// What a server says of a file in the head of its answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "fetch/http.h"

namespace kvsplit::fetch {

struct RemoteFile {
    std::string identity;     // changes when the contents do; "" if the server does not say
    std::string if_range;     // for If-Range; "" where the server has nothing that is exact enough
    std::string sha256;       // "" if the server does not say
    std::uint64_t bytes = 0;  // of the whole file; 0: not known
    std::uint64_t begin = 0;  // where in the file the answer begins
};

// Of an answer with the status 200, 206 or 416. Nothing for a 206 that does not say which bytes it has.
std::optional<RemoteFile> describe(const Reply& reply);

}  // namespace kvsplit::fetch
