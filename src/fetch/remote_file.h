// A server's description of a file, from its answer's headers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "fetch/http.h"

namespace kvsplit::fetch {

struct RemoteFile {
    std::string identity;     // changes when the contents do; "" if the server does not say
    std::string if_range;     // for If-Range; "" if the server sends no strong validator
    std::string sha256;       // "" if the server does not say
    std::uint64_t bytes = 0;  // of the whole file; 0: not known
    std::uint64_t begin = 0;  // offset in the file at which the answer begins
};

// For an answer with status 200, 206 or 416. nullopt for a 206 that does not state its range.
std::optional<RemoteFile> describe(const Reply& reply);

}  // namespace kvsplit::fetch
