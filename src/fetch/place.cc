#include "fetch/place.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <vector>

#include "base/ascii.h"
#include "base/error.h"
#include "base/split_name.h"
#include "fetch/sha256.h"

namespace kvsplit::fetch {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxName = 200;  // file systems allow 255; leaves room for ".MARK.NUMBER.part"

std::string short_hash(std::string_view text) { return sha256_of_text(text).substr(0, 16); }

bool is_unreserved(unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = static_cast<char>(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The byte of an escape ("%41") at the start of text; -1 if there is none.
int escaped_byte(std::string_view text) {
    if (text.size() < 3 || text[0] != '%') return -1;
    const int high = digit_of(text[1]), low = digit_of(text[2]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

// Replaces escapes if that keeps the meaning, and normalises the others; replaces every one if `all`.
std::string unescaped(std::string_view text, bool all) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const int byte = escaped_byte(text.substr(at));
        if (byte < 0) {
            out += text[at++];
            continue;
        }
        if (all || is_unreserved(static_cast<unsigned char>(byte))) {
            out += static_cast<char>(byte);
        } else {
            ((out += '%') += kDigits[static_cast<std::size_t>(byte / 16)]) +=
                kDigits[static_cast<std::size_t>(byte % 16)];
        }
        at += 3;
    }
    return out;
}

struct Parameter {
    std::string name;  // in lower case
    std::string text;  // "name=value"
};

std::vector<Parameter> parameters_of(const std::string& query) {
    std::vector<Parameter> parameters;
    for (std::size_t at = 0; at <= query.size();) {
        const std::size_t end = std::min(query.find('&', at), query.size());
        const std::string text = unescaped(std::string_view(query).substr(at, end - at), false);
        if (!text.empty()) parameters.push_back({lower_ascii(text.substr(0, text.find('='))), text});
        at = end + 1;
    }
    return parameters;
}

// Signature schemes: if the first name is in a query, all of the scheme's parameters only sign it.
const std::vector<std::vector<std::string_view>> kSignatures{
    {"x-amz-signature"},  // these and others that begin with x-amz-
    {"x-goog-signature"},
    {"awsaccesskeyid", "signature", "expires"},
    {"googleaccessid", "signature", "expires"},
    {"key-pair-id", "signature", "expires", "policy", "hash-algorithm"},
    {"sig", "sv", "ss", "sr", "srt", "sp", "st", "se", "spr", "sip", "skoid", "sktid", "skt", "ske", "sks",
     "skv"},
};

// The query without parameters that do not affect the file.
std::string essential_query(const std::string& query) {
    const auto parameters = parameters_of(query);
    const auto has = [&](std::string_view name) {
        return std::any_of(parameters.begin(), parameters.end(),
                           [&](const auto& p) { return p.name == name; });
    };
    const auto only_signs = [&](const Parameter& parameter) {
        const std::string& name = parameter.name;
        if (name.starts_with("x-amz-") || name.starts_with("x-goog-") || name == "download") return true;
        return std::any_of(kSignatures.begin(), kSignatures.end(), [&](const auto& names) {
            const bool azure = names.front() == "sig";  // a name that other servers may use, too
            return has(names.front()) && (!azure || has("sv")) &&
                   std::find(names.begin(), names.end(), name) != names.end();
        });
    };
    std::string out;
    for (const Parameter& parameter : parameters) {
        if (!only_signs(parameter)) (out += out.empty() ? "" : "&") += parameter.text;
    }
    return out;
}

}  // namespace

std::string file_name_for(const std::string& name) {
    if (name.size() <= kMaxName) return name;
    const auto split = parse_split_name(name);
    std::string end;
    if (split) {
        end = name.substr(split->prefix.size());
    } else if (lower_ascii(name).ends_with(".gguf")) {
        end = name.substr(name.size() - std::string_view(".gguf").size());
    }
    const std::string stem = name.substr(0, name.size() - end.size());
    std::size_t kept = kMaxName - end.size() - 17;
    while (kept > 0 && (static_cast<unsigned char>(stem[kept]) & 0xc0) == 0x80)
        --kept;  // whole UTF-8 characters
    return stem.substr(0, kept) + "-" + short_hash(stem) + end;
}

fs::path hub_folder(const fs::path& cache, const HubAddress& address) {
    std::string name = address.repository;
    if (!address.revision.empty()) name += '@';
    for (const char c : address.revision) name += c == '/' ? "%2F" : std::string(1, c);
    return cache / "hf" / name;
}

fs::path hub_file(const std::string& file) {
    fs::path path;
    for (const auto& part : fs::path(file)) path /= file_name_for(part.string());
    return path;
}

std::string url_key(const Url& url) {
    std::string place = unescaped(url.place(), false);
    if (const auto split = parse_split_name(place)) place = split->part(1);
    const std::string query = essential_query(url.query);
    return short_hash(query.empty() ? place : place + "?" + query);
}

fs::path url_file(const fs::path& cache, const Url& url) {
    std::string name = unescaped(url.file(), true);
    if (!is_safe_file_name(name) || name.find('/') != name.npos) name = unescaped(url.file(), false);
    if (!is_safe_file_name(name)) name = "model.gguf";
    const std::string host = url.place().substr(0, url.place().find('/'));
    return cache / "url" / file_name_for(host) / url_key(url) / file_name_for(name);
}

std::optional<fs::path> old_url_file(const fs::path& cache, const std::string& text) {
    const std::size_t scheme = text.find("://");
    if (scheme == text.npos) return std::nullopt;
    const std::string place = text.substr(scheme + 3);
    const std::string name = place.substr(0, place.find_first_of("?#"));
    const std::size_t query = text.find('?'), fragment = text.find('#');
    const bool has_query = query != text.npos && query < fragment;
    if (has_query && !essential_query(text.substr(query + 1, fragment - query - 1)).empty())
        return std::nullopt;
    if (!is_safe_file_name(name) || name.find('/') == name.npos) return std::nullopt;
    return cache / "url" / name;
}

}  // namespace kvsplit::fetch
