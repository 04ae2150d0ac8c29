#include "fetch/http.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <memory>
#include <set>
#include <utility>

#include "base/ascii.h"
#include "base/error.h"
#include "fetch/redact.h"

namespace kvsplit::fetch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxBody = std::size_t{32} << 20;
constexpr std::size_t kMaxErrorBody = std::size_t{4} << 10;
constexpr int kMaxRedirections = 10;
constexpr int kLeastRate = 100;  // bytes per second; less is a stall

std::string trimmed(const std::string& text) {
    const auto begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
    return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

bool is_redirection(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Reply::Cause cause_of(int code) {
    switch (code) {
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
        case CURLE_SSL_CONNECT_ERROR:
            return Reply::Cause::kUnreachable;
        case CURLE_OPERATION_TIMEDOUT:
        case CURLE_PARTIAL_FILE:
        case CURLE_GOT_NOTHING:
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
            return Reply::Cause::kBroken;
        default:
            return Reply::Cause::kFinal;
    }
}

// A company's own certificates, found as other programs do.
const char* certificates() {
    for (const char* name : {"SSL_CERT_FILE", "CURL_CA_BUNDLE"}) {
        if (const char* path = std::getenv(name); path && *path) return path;
    }
    return nullptr;
}

}  // namespace

std::string Reply::header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
}

struct Http::Request {
    Url url;
    const Sink* sink = nullptr;
    Reply reply;
    std::uint64_t received = 0;         // bytes of any kind
    bool begun = false, ended = false;  // by the sink
    std::exception_ptr thrown;
    CURL* easy = nullptr;
    std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers{nullptr, curl_slist_free_all};
    char message[CURL_ERROR_SIZE] = "";

    void read_status() {
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        reply.status = static_cast<int>(status);
    }

    void note_linked() {
        if (reply.linked_etag.empty()) reply.linked_etag = reply.header("x-linked-etag");
        if (reply.linked_size.empty()) reply.linked_size = reply.header("x-linked-size");
    }

    bool begin() {
        if (begun) return !ended;
        read_status();
        note_linked();
        begun = true;
        ended = !sink->begin(reply);
        return !ended;
    }

    bool take(const char* data, std::size_t size) {
        read_status();
        if (reply.is_whole()) {
            ended = !begin() || !sink->write(data, size);
            return !ended;
        }
        if (!is_redirection(reply.status)) {
            reply.body.append(data, std::min(size, kMaxErrorBody - reply.body.size()));
            ended = reply.body.size() == kMaxErrorBody;
        }
        return !ended;
    }

    // Called from C: no exception may leave these.
    static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
        auto& request = *static_cast<Request*>(self);
        auto& headers = request.reply.headers;
        request.received += size;
        const std::string line(data, size);
        if (line.starts_with("HTTP/")) headers.clear();  // the answer after "100 Continue"
        if (const auto colon = line.find(':'); colon != std::string::npos && headers.size() < 200) {
            headers[lower_ascii(line.substr(0, colon))] = trimmed(line.substr(colon + 1));
        }
        return size;
    }
    static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
        auto& request = *static_cast<Request*>(self);
        request.received += size;
        try {
            return request.take(data, size) ? size : 0;
        } catch (...) {
            request.thrown = std::current_exception();
            return 0;
        }
    }
};

Http::Http(Settings settings) : settings_(std::move(settings)) {
    static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (started == CURLE_OK) easy_ = curl_easy_init();
    if (easy_ != nullptr) multi_ = curl_multi_init();
    if (multi_ == nullptr) fail(ErrorCode::kIo, "libcurl cannot be started");
}

Http::~Http() {
    curl_easy_cleanup(easy_);
    curl_multi_cleanup(multi_);
}

void Http::prepare(Request& request, const Url& start, const Range& range) {
    CURL* curl = request.easy = easy_;
    curl_easy_reset(curl);
    const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
    const auto add_header = [&](const std::string& line) {
        request.headers.reset(curl_slist_append(request.headers.release(), line.c_str()));
    };
    set(CURLOPT_URL, request.url.text.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_USERAGENT, "kvsplit/" KVSPLIT_VERSION);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT, 30L);
    set(CURLOPT_BUFFERSIZE, 256L << 10);
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_ERRORBUFFER, request.message);
    set(CURLOPT_HEADERFUNCTION, &Request::on_header);
    set(CURLOPT_HEADERDATA, &request);
    set(CURLOPT_WRITEFUNCTION, &Request::on_body);
    set(CURLOPT_WRITEDATA, &request);
    // Asks for uncompressed files, but understands a server that compresses anyway.
    set(CURLOPT_ACCEPT_ENCODING, "identity");
#if LIBCURL_VERSION_NUM >= 0x075700
    set(CURLOPT_QUICK_EXIT, 1L);  // Ctrl-C does not wait for a name server
#endif
    if (const char* path = certificates()) set(CURLOPT_CAINFO, path);
    const std::string bytes = fmt::format("{}-", range.begin);
    if (range.begin > 0) {
        set(CURLOPT_RANGE, bytes.c_str());
        if (!range.if_range.empty()) add_header("If-Range: " + range.if_range);
    }
    const Url& user = request.url.user.empty() && request.url.origin == start.origin ? start : request.url;
    if (!user.user.empty() || !user.password.empty()) {
        set(CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        set(CURLOPT_USERNAME, user.user.c_str());
        set(CURLOPT_PASSWORD, user.password.c_str());
    } else if (!settings_.token.empty() && request.url.text.starts_with(settings_.token_for)) {
        set(CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        set(CURLOPT_XOAUTH2_BEARER, settings_.token.c_str());
    }
    if (request.headers) set(CURLOPT_HTTPHEADER, request.headers.get());
}

void Http::transfer(Request& request, const KeepOn& keep_on) {
    const auto leave = [this](CURL* easy) { curl_multi_remove_handle(multi_, easy); };
    if (curl_multi_add_handle(multi_, easy_) != CURLM_OK) fail(ErrorCode::kIo, "libcurl cannot be started");
    const std::unique_ptr<CURL, decltype(leave)> in_multi(easy_, leave);
    auto since = Clock::now();
    std::uint64_t before = 0;
    for (int running = 1;;) {
        const CURLMcode code = curl_multi_perform(multi_, &running);
        if (code != CURLM_OK) fail(ErrorCode::kIo, "libcurl: {}", curl_multi_strerror(code));
        if (running == 0) break;
        if (!keep_on()) fail(ErrorCode::kCancelled, "stopped");
        if (const auto time = Clock::now() - since; time >= settings_.stall) {
            const double seconds = std::chrono::duration<double>(time).count();
            if (static_cast<double>(request.received - before) < kLeastRate * seconds) {
                request.reply.cause = Reply::Cause::kBroken;
                request.reply.failure = fmt::format("nothing came for {:.3g} seconds", seconds);
                return;
            }
            since = Clock::now();
            before = request.received;
        }
        curl_multi_poll(multi_, nullptr, 0, 100, nullptr);
    }
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg == CURLMSG_DONE) note_result(request, message->data.result);
    }
}

void Http::note_result(Request& request, int code) {
    request.read_status();
    if (request.thrown) std::rethrow_exception(request.thrown);
    Reply& reply = request.reply;
    if (code == CURLE_OK && reply.is_whole() && !request.begun) request.begin();  // an empty file
    if (code == CURLE_OK || request.ended) return;
    reply.cause = cause_of(code);
    reply.failure =
        redacted(request.message[0] ? request.message : curl_easy_strerror(static_cast<CURLcode>(code)));
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        reply.failure +=
            "; the server's certificate is not trusted: check the clock, or set SSL_CERT_FILE to the "
            "certificates of your network";
    }
    long proxy_status = 0;
    curl_easy_getinfo(easy_, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    if (proxy_status >= 400 && proxy_status < 500) reply.cause = Reply::Cause::kFinal;
}

Reply Http::get_file(const Url& url, const Range& range, const Sink& sink, const KeepOn& keep_on) {
    std::set<std::string> seen{url.text};
    std::string linked_etag, linked_size;
    for (Url at = url;;) {
        Request request;
        request.url = at;
        request.sink = &sink;
        request.reply.linked_etag = linked_etag;
        request.reply.linked_size = linked_size;
        prepare(request, url, range);
        transfer(request, keep_on);
        request.note_linked();
        Reply& reply = request.reply;
        const std::string location = reply.header("location");
        if (reply.cause != Reply::Cause::kNone || !is_redirection(reply.status) || location.empty()) {
            return std::move(reply);
        }
        linked_etag = reply.linked_etag;
        linked_size = reply.linked_size;
        at = redirected_url(at, location);
        if (seen.size() > kMaxRedirections) {
            fail(ErrorCode::kIo, "{}: more than {} redirections, the latest to {}", url.shown(),
                 kMaxRedirections, at.shown());
        }
        if (!seen.insert(at.text).second) {
            fail(ErrorCode::kIo, "{}: the server redirects in a circle, by way of {}", url.shown(),
                 at.shown());
        }
    }
}

Reply Http::get(const Url& url, const KeepOn& keep_on) {
    std::string body;
    const Sink sink{[](const Reply&) { return true; },
                    [&](const char* data, std::size_t size) {
                        if (body.size() + size > kMaxBody) {
                            fail(ErrorCode::kIo, "{}: the answer has more than {} bytes", url.shown(),
                                 kMaxBody);
                        }
                        body.append(data, size);
                        return true;
                    }};
    Reply reply = get_file(url, {}, sink, keep_on);
    if (reply.is_whole()) reply.body = std::move(body);
    return reply;
}

}  // namespace kvsplit::fetch
