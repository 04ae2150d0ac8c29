#include "fetch/address.h"

#include <algorithm>

#include "base/error.h"

namespace kvsplit::fetch {

bool is_remote(std::string_view path) {
    return path.starts_with("hf:") || path.starts_with("https://") || path.starts_with("http://");
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
    if (!path.starts_with("hf:")) return std::nullopt;
    const std::string_view rest = path.substr(3);
    HubAddress address;
    const std::size_t owner_end = rest.find('/');
    const std::size_t repo_end = owner_end == rest.npos ? rest.npos : rest.find_first_of("/:", owner_end + 1);
    address.repository = rest.substr(0, repo_end);
    const bool named = owner_end != rest.npos && is_safe_file_name(address.repository);
    if (named && repo_end != rest.npos) {
        (rest[repo_end] == '/' ? address.file : address.wanted) = rest.substr(repo_end + 1);
    }
    const bool empty_end = repo_end != rest.npos && address.file.empty() && address.wanted.empty();
    const bool odd_wish = !address.wanted.empty() && !is_safe_file_name(address.wanted);
    if (!named || empty_end || odd_wish || (!address.file.empty() && !is_safe_file_name(address.file))) {
        fail(ErrorCode::kInvalidArgument,
             "{}: say hf:OWNER/REPOSITORY/FILE.gguf, or hf:OWNER/REPOSITORY to have a file chosen", path);
    }
    return address;
}

}  // namespace kvsplit::fetch
