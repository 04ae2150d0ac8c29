#include "fetch/url.h"

#include <curl/curl.h>

#include <memory>

#include "base/ascii.h"
#include "base/error.h"
#include "fetch/redact.h"

namespace kvsplit::fetch {
namespace {

using Handle = std::unique_ptr<CURLU, void (*)(CURLU*)>;

Handle make_handle() {
    Handle handle(curl_url(), curl_url_cleanup);
    if (!handle) fail(ErrorCode::kOutOfMemory, "no memory to read an address");
    return handle;
}

// "" for an absent part.
std::string part_of(CURLU* handle, CURLUPart part, unsigned flags = 0) {
    char* text = nullptr;
    const CURLUcode code = curl_url_get(handle, part, &text, flags);
    const std::unique_ptr<char, void (*)(void*)> owner(text, curl_free);
    if (code == CURLUE_URLDECODE) fail(ErrorCode::kInvalidArgument, "the address has odd characters");
    return code == CURLUE_OK ? text : "";
}

CURLUcode set_url(CURLU* handle, const std::string& text) {
    return curl_url_set(handle, CURLUPART_URL, text.c_str(),
                        CURLU_URLENCODE | CURLU_ALLOW_SPACE | CURLU_NON_SUPPORT_SCHEME);
}

// Only scheme, host and port if `whole` is false.
std::string text_of(CURLU* handle, bool whole) {
    const Handle copy(curl_url_dup(handle), curl_url_cleanup);
    for (const CURLUPart part : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_FRAGMENT}) {
        curl_url_set(copy.get(), part, nullptr, 0);
    }
    if (!whole) {
        curl_url_set(copy.get(), CURLUPART_PATH, nullptr, 0);
        curl_url_set(copy.get(), CURLUPART_QUERY, nullptr, 0);
    }
    return part_of(copy.get(), CURLUPART_URL, CURLU_NO_DEFAULT_PORT);
}

Url url_of(CURLU* handle) {
    const std::string host = lower_ascii(part_of(handle, CURLUPART_HOST));
    curl_url_set(handle, CURLUPART_HOST, host.c_str(), 0);
    Url url;
    url.text = text_of(handle, true);
    url.origin = text_of(handle, false);
    while (url.origin.ends_with('/')) url.origin.pop_back();
    url.path = part_of(handle, CURLUPART_PATH);
    url.query = part_of(handle, CURLUPART_QUERY);
    url.user = part_of(handle, CURLUPART_USER, CURLU_URLDECODE);
    url.password = part_of(handle, CURLUPART_PASSWORD, CURLU_URLDECODE);
    return url;
}

bool is_web(const std::string& scheme) { return scheme == "https" || scheme == "http"; }

}  // namespace

std::string Url::shown() const { return redacted(text); }

std::string Url::place() const { return origin.substr(origin.find("://") + 3) + path; }

std::string_view Url::file() const { return std::string_view(path).substr(path.find_last_of('/') + 1); }

Url Url::with_path(std::string_view new_path) const {
    Url url = *this;
    url.path = new_path;
    url.text = origin + url.path + (query.empty() ? "" : "?" + query);
    return url;
}

Url parse_url(std::string_view text) {
    const auto scheme = lower_ascii(std::string(text.substr(0, text.find("://"))));
    if (!is_web(scheme)) {
        fail(
            ErrorCode::kInvalidArgument,
            "{}: addresses begin with https://, http:// or hf:; say just the path of a file on this computer",
            redacted(text));
    }
    const Handle handle = make_handle();
    if (const CURLUcode code = set_url(handle.get(), std::string(text)); code != CURLUE_OK) {
        // In a malformed address, any part may be a password.
        const std::size_t at = text.rfind('@');
        const std::string tail(at == text.npos ? text : text.substr(at + 1));
        fail(ErrorCode::kInvalidArgument, "{}: not an address that can be loaded: {}",
             redacted(at == text.npos ? tail : scheme + "://***@" + tail), curl_url_strerror(code));
    }
    return url_of(handle.get());
}

Url redirected_url(const Url& from, const std::string& location) {
    const Handle handle = make_handle();
    if (set_url(handle.get(), from.text) != CURLUE_OK || set_url(handle.get(), location) != CURLUE_OK) {
        fail(ErrorCode::kIo, "{}: the server redirects to '{}', which is not an address", from.shown(),
             excerpt(location));
    }
    const std::string scheme = part_of(handle.get(), CURLUPART_SCHEME);
    if (!is_web(scheme) || (scheme == "http" && from.text.starts_with("https:"))) {
        fail(ErrorCode::kIo, "{}: the server redirects to {}, and {} is not followed from {}", from.shown(),
             excerpt(location), scheme, from.text.substr(0, from.text.find(':')));
    }
    return url_of(handle.get());
}

}  // namespace kvsplit::fetch
