// Http: requests through libcurl, with its defaults for proxies.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "fetch/url.h"

namespace kvsplit::fetch {

struct Reply {
    enum class Cause {
        kNone,         // an answer came, or the sink ended the request
        kUnreachable,  // no connection; may be temporary
        kBroken,       // the connection broke or stalled
        kFinal,        // certificates, addresses, ...: a retry will not help
    };
    Cause cause = Cause::kNone;
    std::string failure;                         // in words; "" for kNone
    int status = 0;                              // of HTTP; 0: no answer
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;                            // of get(); for an error, its beginning
    // A hub's headers about a file, from the answer that redirects to its storage; "" if absent.
    std::string linked_etag, linked_size;

    bool is_whole() const { return cause == Cause::kNone && status >= 200 && status < 300; }
    std::string header(const std::string& name) const;  // "" if absent
};

// One request at a time, on one thread.
class Http {
  public:
    struct Settings {
        std::string token;      // "": none
        std::string token_for;  // prefix of addresses that get the token; redirections elsewhere do not
        std::chrono::milliseconds stall{60'000};  // time without data before giving up
    };
    explicit Http(Settings settings);
    ~Http();
    Http(const Http&) = delete;
    Http& operator=(const Http&) = delete;

    // Called ten times a second; if false, Error(kCancelled) is thrown.
    using KeepOn = std::function<bool()>;
    // Receives a 2xx answer. Both may throw; false from either ends the request without failure.
    struct Sink {
        std::function<bool(const Reply& head)> begin;
        std::function<bool(const char* data, std::size_t size)> write;
    };
    struct Range {
        std::uint64_t begin = 0;  // the first byte wanted
        std::string if_range;     // ETag or date of the version that the byte is from; "": any
    };

    // Both follow at most ten redirections, none from https to http; others throw Error(kIo). Errors of the
    // network and the server are in the reply. User and password are sent only to the address's own origin.
    Reply get(const Url& url, const KeepOn& keep_on);  // body: at most 32 MB
    Reply get_file(const Url& url, const Range& range, const Sink& sink, const KeepOn& keep_on);

  private:
    struct Request;
    void prepare(Request& request, const Url& start, const Range& range);
    void transfer(Request& request, const KeepOn& keep_on);
    void note_result(Request& request, int code);

    Settings settings_;
    void* easy_ = nullptr;
    void* multi_ = nullptr;
};

}  // namespace kvsplit::fetch
