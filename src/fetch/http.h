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
        kNone,         // there is an answer, or it was not wanted any more
        kUnreachable,  // no connection: may be better in a moment
        kBroken,       // the connection broke or stalled
        kFinal,        // certificates, addresses, ...: will be the same again
    };
    Cause cause = Cause::kNone;
    std::string failure;                         // in words; "" for kNone
    int status = 0;                              // of HTTP; 0: no answer
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;  // of get(), and the beginning of the one that explains an error
    // What a hub says of a file in the answer that redirects to its storage; "" without.
    std::string linked_etag, linked_size;

    bool is_whole() const { return cause == Cause::kNone && status >= 200 && status < 300; }
    std::string header(const std::string& name) const;  // "" if absent
};

// One request after the other, on one thread.
class Http {
  public:
    struct Settings {
        std::string token;      // "": none
        std::string token_for;  // addresses that begin with this get the token; redirections elsewhere do not
        std::chrono::milliseconds stall{60'000};  // without data after which a connection is given up
    };
    explicit Http(Settings settings);
    ~Http();
    Http(const Http&) = delete;
    Http& operator=(const Http&) = delete;

    // Called ten times a second; false: Error(kCancelled) is thrown.
    using KeepOn = std::function<bool()>;
    // Who takes an answer of 2xx. Both may throw; false from either ends the request, which is no failure.
    struct Sink {
        std::function<bool(const Reply& head)> begin;
        std::function<bool(const char* data, std::size_t size)> write;
    };
    struct Range {
        std::uint64_t begin = 0;  // the first byte that is wanted
        std::string if_range;     // ETag or date of the file that this byte is in; "": any
    };

    // Both follow redirections: at most ten, none from https to http. Errors of the network and of the server
    // are in the reply; redirections that are not followed throw Error(kIo). A user and password go to the
    // address's own origin alone.
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
