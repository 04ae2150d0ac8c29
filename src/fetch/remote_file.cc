#include "fetch/remote_file.h"

#include <charconv>
#include <string_view>

#include "base/ascii.h"
#include "fetch/sha256.h"

namespace kvsplit::fetch {
namespace {

// Takes the leading number off text.
std::optional<std::uint64_t> take_number(std::string_view& text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

std::uint64_t to_number(std::string_view text) { return take_number(text).value_or(0); }

// An ETag without its quotes and weak prefix.
std::string bare_etag(std::string etag) {
    if (etag.starts_with("W/")) etag.erase(0, 2);
    if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
    return etag;
}

// "bytes 100-199/200", "bytes 100-199/*" or "bytes */200". False for anything else.
bool read_content_range(std::string_view text, RemoteFile& file) {
    if (!text.starts_with("bytes ")) return false;
    text.remove_prefix(6);
    if (text.starts_with("*/")) {
        file.bytes = to_number(text.substr(2));
        return true;
    }
    const auto begin = take_number(text);
    const std::size_t slash = text.find('/');
    if (!begin || slash == text.npos) return false;
    file.begin = *begin;
    file.bytes = to_number(text.substr(slash + 1));
    return true;
}

}  // namespace

std::optional<RemoteFile> describe(const Reply& reply) {
    RemoteFile file;
    if (!reply.linked_etag.empty()) {
        // The hub's own headers are valid for every storage server.
        file.identity = bare_etag(reply.linked_etag);
        if (is_sha256(file.identity)) file.sha256 = file.identity;
    } else {
        const std::string etag = reply.header("etag"), date = reply.header("last-modified");
        file.identity = etag.empty() ? date : bare_etag(etag);
        file.if_range = etag.empty() ? date : etag.starts_with("W/") ? "" : etag;
    }
    const std::string coding = lower_ascii(reply.header("content-encoding"));
    const bool packed = !coding.empty() && coding != "identity";
    if (packed) file.identity = "";  // compressed bytes have no offset in the file to resume from
    if (reply.status == 206 || reply.status == 416) {
        const bool read = read_content_range(reply.header("content-range"), file);
        if (!read && reply.status == 206) return std::nullopt;
    } else if (!packed) {
        file.bytes = to_number(reply.header("content-length"));
    }
    if (const std::uint64_t linked = to_number(reply.linked_size); linked > 0) file.bytes = linked;
    return file;
}

}  // namespace kvsplit::fetch
