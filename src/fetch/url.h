// Url: an http or https address, parsed by libcurl's rules.
#pragma once

#include <string>
#include <string_view>

namespace kvsplit::fetch {

struct Url {
    std::string text;            // as requested: without user, password and fragment; escaped as needed
    std::string origin;          // "https://host:8443", in lower case and without the scheme's usual port
    std::string path;            // "/folder/file.gguf", escaped
    std::string query;           // "a=1&b=2", escaped; may be empty
    std::string user, password;  // "" if absent

    std::string shown() const;      // for display: without secrets
    std::string place() const;      // "host:8443/folder/file.gguf"
    std::string_view file() const;  // the path's last part
    Url with_path(std::string_view new_path) const;
};

// Throws Error(kInvalidArgument), which names the address without its secrets, if it is malformed or has
// another scheme.
Url parse_url(std::string_view text);

// The target of a redirection, relative to `from` or absolute. Throws Error(kIo) for other schemes, and for
// http after https.
Url redirected_url(const Url& from, const std::string& location);

}  // namespace kvsplit::fetch
