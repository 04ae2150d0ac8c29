// The hub's addresses and file lists.
#pragma once

#include <string>
#include <vector>

#include "fetch/address.h"
#include "fetch/http.h"
#include "fetch/refusal.h"
#include "fetch/retry.h"
#include "fetch/url.h"

namespace kvsplit::fetch {

class Hub {
  public:
    // endpoint: of the hub, without a slash at the end. has_token: whether requests carry one.
    Hub(std::string endpoint, bool has_token) : endpoint_(std::move(endpoint)), has_token_(has_token) {}

    Url file_url(const HubAddress& address, const std::string& file) const;
    Access access(const HubAddress& address) const;

    // The names of all files. Throws Error as refuse() does, and kFormat for an answer that is not a list.
    std::vector<std::string> list_files(Http& http, const HubAddress& address,
                                        std::chrono::milliseconds first_pause, const Reports& reports) const;

    // Turns the address of a page about a file (".../blob/main/x.gguf", ".../raw/...") into that of the file;
    // returns others, and other servers' addresses, unchanged.
    Url direct(const Url& url) const;
    // Access to the address's repository if it is on the hub.
    Access access(const Url& url) const;

  private:
    bool owns(const Url& url) const;

    std::string endpoint_;
    bool has_token_;
};

}  // namespace kvsplit::fetch
