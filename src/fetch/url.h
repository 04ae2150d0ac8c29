// Url: an address of http or https, taken apart by libcurl's rules.
#pragma once

#include <string>
#include <string_view>

namespace kvsplit::fetch {

struct Url {
    std::string text;  // what is asked for: without user, password and fragment, characters escaped as needed
    std::string origin;          // "https://host:8443", in lower case and without the scheme's usual port
    std::string path;            // "/folder/file.gguf", escaped
    std::string query;           // "a=1&b=2", escaped; may be empty
    std::string user, password;  // "" without

    std::string shown() const;      // for people: text without secrets
    std::string place() const;      // "host:8443/folder/file.gguf"
    std::string_view file() const;  // the path's last part
    Url with_path(std::string_view new_path) const;
};

// Throws Error(kInvalidArgument), which names the address without its secrets, for what is not such an
// address, and for other schemes.
Url parse_url(std::string_view text);

// Where a redirection leads: an address that is relative to `from` or not. Throws Error(kIo) for other
// schemes, and for http after https.
Url redirected_url(const Url& from, const std::string& location);

}  // namespace kvsplit::fetch
