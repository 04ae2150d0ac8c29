#include "fetch/address.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"

namespace kvsplit::fetch {

namespace {

constexpr std::string_view kHub = "hf:";

std::string with_slashes(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const bool slash = text.substr(at, 3) == "%2F" || text.substr(at, 3) == "%2f";
        out += slash ? '/' : text[at];
        at += slash ? 3 : 1;
    }
    return out;
}

}  // namespace

bool is_remote(std::string_view path) {
    if (path.starts_with(kHub)) return true;
    const std::string_view scheme = path.substr(0, path.find("://"));
    const auto plain = [](unsigned char c) { return std::isalnum(c) || c == '+' || c == '-' || c == '.'; };
    return scheme.size() > 1 && scheme.size() < path.size() &&
           std::all_of(scheme.begin(), scheme.end(), plain);
}

bool is_safe_file_name(std::string_view name) {
    const auto odd = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\'; };
    if (std::any_of(name.begin(), name.end(), odd)) return false;
    for (std::size_t at = 0; at <= name.size();) {
        const std::size_t end = std::min(name.find('/', at), name.size());
        if (end == at || name[at] == '.') return false;
        at = end + 1;
    }
    return true;
}

std::optional<HubAddress> parse_hub_address(std::string_view path) {
    if (!path.starts_with(kHub)) return std::nullopt;
    std::string_view rest = path.substr(kHub.size());
    if (rest.starts_with("//")) rest.remove_prefix(2);
    HubAddress address;
    const std::size_t owner_end = rest.find('/');
    const std::size_t repo_end =
        owner_end == rest.npos ? rest.npos : rest.find_first_of("/:@", owner_end + 1);
    address.repository = rest.substr(0, repo_end);
    bool good = owner_end != rest.npos && is_safe_file_name(address.repository);
    rest.remove_prefix(std::min(repo_end, rest.size()));
    if (rest.starts_with('@')) {
        const std::size_t end = std::min(rest.find_first_of("/:"), rest.size());
        address.revision = with_slashes(rest.substr(1, end - 1));
        good = good && is_safe_file_name(address.revision);
        rest.remove_prefix(end);
    }
    if (!rest.empty()) {
        std::string& chosen = rest.front() == '/' ? address.file : address.wanted;
        chosen = rest.substr(1);
        good = good && is_safe_file_name(chosen);
    }
    if (!good || address.wanted.find('/') != rest.npos) {
        fail(ErrorCode::kInvalidArgument,
             "{}: say hf:OWNER/REPOSITORY/FILE.gguf, or hf:OWNER/REPOSITORY[:TYPE] to have a file chosen; "
             "@REVISION may follow the repository",
             path);
    }
    return address;
}

}  // namespace kvsplit::fetch
