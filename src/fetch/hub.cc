#include "fetch/hub.h"

#include <fmt/format.h>

#include <cctype>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "fetch/contents.h"
#include "fetch/redact.h"

namespace kvsplit::fetch {
namespace {

// Bytes that a path cannot hold as they are.
std::string escaped(const std::string& path, std::string_view plain_too = "/") {
    std::string out;
    for (const char c : path) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = std::isalnum(byte) || std::string_view("-._~").find(c) != std::string_view::npos ||
                           plain_too.find(c) != plain_too.npos;
        out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
    }
    return out;
}

// The position of a path's nth "/", counted from 1; npos if there are fewer.
std::size_t nth_slash(std::string_view path, int n) {
    std::size_t at = path.find('/');
    while (--n > 0 && at != path.npos) at = path.find('/', at + 1);
    return at;
}

// The names in {"siblings": [{"rfilename": "x.gguf"}, ...]}.
std::vector<std::string> read_list(const nlohmann::json& list) {
    std::vector<std::string> files;
    for (const auto& entry : list) {
        if (!entry.is_object()) continue;
        if (const auto name = entry.find("rfilename"); name != entry.end() && name->is_string()) {
            files.push_back(*name);
        }
    }
    return files;
}

}  // namespace

Url Hub::file_url(const HubAddress& address, const std::string& file) const {
    const std::string revision = address.revision.empty() ? "main" : escaped(address.revision, "");
    return parse_url(
        fmt::format("{}/{}/resolve/{}/{}", endpoint_, escaped(address.repository), revision, escaped(file)));
}

Access Hub::access(const HubAddress& address) const {
    return {parse_url(fmt::format("{}/{}", endpoint_, escaped(address.repository))).shown(), has_token_};
}

bool Hub::owns(const Url& url) const {
    for (const std::string& begin :
         {endpoint_, std::string("https://huggingface.co"), std::string("https://hf.co")}) {
        if (url.text.starts_with(parse_url(begin + "/").text)) return true;
    }
    return false;
}

Url Hub::direct(const Url& url) const {
    const std::size_t kind = nth_slash(url.path, 3);  // "/owner/repo/blob/main/file"
    if (!owns(url) || kind == std::string::npos) return url;
    for (const std::string_view page : {"/blob/", "/raw/"}) {
        if (url.path.compare(kind, page.size(), page) == 0) {
            return url.with_path(url.path.substr(0, kind) + "/resolve/" +
                                 url.path.substr(kind + page.size()));
        }
    }
    return url;
}

Access Hub::access(const Url& url) const {
    if (!owns(url)) return {};
    return {redacted(url.origin + url.path.substr(0, nth_slash(url.path, 3))), has_token_};
}

std::vector<std::string> Hub::list_files(Http& http, const HubAddress& address,
                                         std::chrono::milliseconds first_pause,
                                         const Reports& reports) const {
    std::string text = fmt::format("{}/api/models/{}", endpoint_, escaped(address.repository));
    if (!address.revision.empty()) text += "/revision/" + escaped(address.revision, "");
    const Url url = parse_url(text);
    const std::string shown = url.shown();
    const Progress progress{Progress::Stage::kDownload, address.repository, 0, 0};
    Retry retry(first_pause, shown, reports);
    while (true) {
        const Reply reply = http.get(url, [&] { return reports.on_progress(progress); });
        if (reply.is_whole()) {
            const auto json = nlohmann::json::parse(reply.body, nullptr, false);
            const auto list = json.is_object() ? json.find("siblings") : json.end();
            if (json.is_object() && list != json.end() && list->is_array()) return read_list(*list);
            fail(ErrorCode::kFormat, "{}: the list of files should come, and this is {}", shown,
                 describe_contents(reply.body, reply.header("content-type")));
        }
        if (!retry.pause_after(reply, progress)) refuse(shown, reply, access(address));
    }
}

}  // namespace kvsplit::fetch
