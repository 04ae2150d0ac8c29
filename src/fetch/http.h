// Http: requests through libcurl, with its defaults for proxies and certificates.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace kvsplit::fetch {

struct Reply {
    int status = 0;                              // of HTTP; 0: no answer
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
    std::string failure;     // why there is no (whole) answer, in libcurl's words; empty: there is
    bool no_ranges = false;  // the server cannot continue in the middle
    bool is_whole() const { return failure.empty() && status >= 200 && status < 300; }
    std::string header(const std::string& name) const;  // "" if absent
};

// One after the other, on one thread.
class Http {
  public:
    // The token is sent to servers whose URL begins with token_for, and follows no redirection elsewhere.
    Http(std::string token, std::string token_for);
    ~Http();
    Http(const Http&) = delete;
    Http& operator=(const Http&) = delete;

    using KeepOn = std::function<bool()>;  // false: Error(kCancelled) is thrown
    // Without following redirections.
    Reply head(const std::string& url, const KeepOn& keep_on);
    // Following redirections. The body is at most a few megabytes.
    Reply get(const std::string& url, const KeepOn& keep_on);
    // The body from byte `offset` on, following redirections. write: false: failed, which ends the request.
    using Write = std::function<bool(const char* data, std::size_t size)>;
    Reply get_from(const std::string& url, std::uint64_t offset, const Write& write, const KeepOn& keep_on);

  private:
    struct Request;
    Reply perform(Request& request);

    void* curl_;
    std::string token_, token_for_;
};

}  // namespace kvsplit::fetch
