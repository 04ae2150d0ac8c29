// Model addresses: local files, files of Hugging Face repositories, and URLs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kvsplit::fetch {

// "hf:owner/repo/folder/file.gguf", "hf:owner/repo" or "hf:owner/repo:Q4_K_M"; the repository may have a
// revision: "hf:owner/repo@v2:Q4_K_M", with "/" written as "%2F".
struct HubAddress {
    std::string repository;  // "owner/repo"
    std::string file;        // in the repository; empty: choose one
    std::string wanted;      // what the chosen file's name must contain; empty: anything
    std::string revision;    // a branch, tag or commit; empty: "main"
};

// Whether a path must be fetched: "hf:..." or "SCHEME://...".
bool is_remote(std::string_view path);

// nullopt if the path does not begin with "hf:". Throws Error(kInvalidArgument) if it names no file of a
// repository.
std::optional<HubAddress> parse_hub_address(std::string_view path);

// Whether an external name stays inside its folder: relative, without "..", empty or hidden parts, or control
// characters.
bool is_safe_file_name(std::string_view name);

}  // namespace kvsplit::fetch
