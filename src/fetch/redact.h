// Makes addresses and servers' texts safe to show.
#pragma once

#include <string>
#include <string_view>

namespace kvsplit::fetch {

// Removes the secrets of addresses in a text: user names and passwords ("//user:pass@" becomes "//***@") and
// the values of query parameters that look like keys, tokens or signatures ("sig=..." becomes "sig=***").
std::string redacted(std::string_view text);

// The first printable ASCII characters of a server's text, redacted, on one line, at most `limit`.
std::string excerpt(std::string_view text, std::size_t limit = 80);

}  // namespace kvsplit::fetch
