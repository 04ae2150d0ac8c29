#include "fetch/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/error.h"

namespace kvsplit::fetch {
namespace {

constexpr std::size_t kMaxBody = std::size_t{32} << 20;

std::string trimmed(const std::string& text) {
    const auto begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
    return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

}  // namespace

std::string Reply::header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
}

struct Http::Request {
    std::string url;
    bool head = false;
    std::uint64_t offset = 0;
    const KeepOn* keep_on = nullptr;
    Write write;
    bool stopped = false;
    Reply reply;

    // Called from C: no exception may leave these.
    static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
        auto& reply = static_cast<Request*>(self)->reply;
        const std::string line(data, size);
        if (line.starts_with("HTTP/")) reply.headers.clear();  // another answer after a redirection
        if (const auto colon = line.find(':'); colon != std::string::npos && reply.headers.size() < 200) {
            reply.headers[lower_ascii(line.substr(0, colon))] = trimmed(line.substr(colon + 1));
        }
        return size;
    }
    static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
        return static_cast<Request*>(self)->write(data, size) ? size : 0;
    }
    static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        auto& request = *static_cast<Request*>(self);
        request.stopped = !(*request.keep_on)();
        return request.stopped;
    }
};

Http::Http(std::string token, std::string token_for)
    : curl_(nullptr), token_(std::move(token)), token_for_(std::move(token_for)) {
    static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (started == CURLE_OK) curl_ = curl_easy_init();
    if (curl_ == nullptr) fail(ErrorCode::kIo, "libcurl cannot be started");
}

Http::~Http() { curl_easy_cleanup(curl_); }

Reply Http::perform(Request& request) {
    CURL* curl = curl_;
    curl_easy_reset(curl);
    const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
    char message[CURL_ERROR_SIZE] = "";
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, request.url.starts_with("https:") ? "https" : "http,https");
    set(CURLOPT_USERAGENT, "kvsplit/" KVSPLIT_VERSION);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT, 30L);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);  // bytes per second
    set(CURLOPT_LOW_SPEED_TIME, 60L);
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_ERRORBUFFER, message);
    set(CURLOPT_HEADERFUNCTION, &Request::on_header);
    set(CURLOPT_HEADERDATA, &request);
    set(CURLOPT_WRITEFUNCTION, &Request::on_body);
    set(CURLOPT_WRITEDATA, &request);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Request::on_progress);
    set(CURLOPT_XFERINFODATA, &request);
    if (request.head) {
        set(CURLOPT_NOBODY, 1L);
    } else {
        set(CURLOPT_FOLLOWLOCATION, 1L);
        set(CURLOPT_MAXREDIRS, 10L);
        set(CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(request.offset));
    }
    if (!token_.empty() && request.url.starts_with(token_for_)) {
        set(CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        set(CURLOPT_XOAUTH2_BEARER, token_.c_str());
    }
    const CURLcode code = curl_easy_perform(curl);
    if (request.stopped) fail(ErrorCode::kCancelled, "stopped");
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    request.reply.status = static_cast<int>(status);
    request.reply.no_ranges = code == CURLE_RANGE_ERROR || status == 416;
    if (code != CURLE_OK) request.reply.failure = message[0] ? message : curl_easy_strerror(code);
    return std::move(request.reply);
}

Reply Http::head(const std::string& url, const KeepOn& keep_on) {
    Request request;
    request.url = url;
    request.head = true;
    request.keep_on = &keep_on;
    request.write = [](const char*, std::size_t) { return true; };
    return perform(request);
}

Reply Http::get(const std::string& url, const KeepOn& keep_on) {
    Request request;
    request.url = url;
    request.keep_on = &keep_on;
    std::string body;
    request.write = [&](const char* data, std::size_t size) {
        if (body.size() + size > kMaxBody) return false;
        body.append(data, size);
        return true;
    };
    Reply reply = perform(request);
    reply.body = std::move(body);
    return reply;
}

Reply Http::get_from(const std::string& url, std::uint64_t offset, const Write& write,
                     const KeepOn& keep_on) {
    Request request;
    request.url = url;
    request.offset = offset;
    request.keep_on = &keep_on;
    request.write = write;
    return perform(request);
}

}  // namespace kvsplit::fetch
