#include "fetch/redact.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"

namespace kvsplit::fetch {
namespace {

constexpr std::string_view kEndOfValue = "&#;\"'<> \t\r\n";

// Parts of parameter names, in lower case.
constexpr std::array<std::string_view, 17> kSecretNames{
    "sig",  "token", "key",    "secret",  "pass",  "pwd",    "auth",   "cred", "policy",
    "sess", "jwt",   "x-amz-", "x-goog-", "hdnts", "ticket", "access", "code"};
constexpr std::size_t kLongestPlainValue = 24;  // longer ones are rarely readable

bool is_secret(std::string_view name, std::string_view value) {
    const std::string lower = lower_ascii(std::string(name));
    const bool named = std::any_of(kSecretNames.begin(), kSecretNames.end(), [&](std::string_view secret) {
        return lower.find(secret) != std::string::npos;
    });
    const bool is_file = lower_ascii(std::string(value)).ends_with(".gguf");
    return named || (value.size() > kLongestPlainValue && !is_file);
}

// "user:password@" after each "//", up to the last "@" before the path.
std::string without_users(std::string_view text) {
    std::string out;
    while (true) {
        const std::size_t begin = text.find("//");
        if (begin == text.npos) return out.append(text);
        out.append(text.substr(0, begin + 2));
        text.remove_prefix(begin + 2);
        const std::string_view authority = text.substr(0, text.find_first_of("/?# \t\r\n\"'<>"));
        if (const std::size_t at = authority.rfind('@'); at != authority.npos) {
            out += "***@";
            text.remove_prefix(at + 1);
        }
    }
}

}  // namespace

std::string redacted(std::string_view text) {
    const std::string plain = without_users(text);
    std::string out;
    std::size_t done = 0;
    while (true) {
        const std::size_t name = plain.find_first_of("?&;", done);
        if (name == plain.npos) return out.append(plain, done);
        const std::size_t equals = plain.find_first_of("=?&# \t\r\n\"'<>", name + 1);
        out.append(plain, done, name + 1 - done);
        done = name + 1;
        if (equals == plain.npos || plain[equals] != '=') continue;
        const std::size_t end = std::min(plain.find_first_of(kEndOfValue, equals + 1), plain.size());
        const std::string_view value = std::string_view(plain).substr(equals + 1, end - equals - 1);
        out.append(plain, done, equals + 1 - done);
        out.append(is_secret(std::string_view(plain).substr(done, equals - done), value) ? "***" : value);
        done = end;
    }
}

std::string excerpt(std::string_view text, std::size_t limit) {
    std::string out;
    // Redacts more than it shows: a secret cut in two would not be recognised.
    for (const char c : redacted(text.substr(0, std::size_t{8} << 10))) {
        const auto byte = static_cast<unsigned char>(c);
        const bool blank = byte <= 0x20 || byte >= 0x7f;
        if (blank && (out.empty() || out.back() == ' ')) continue;
        out += blank ? ' ' : c;
        if (out.size() == limit) return out + "...";
    }
    return out;
}

}  // namespace kvsplit::fetch
