// Where a model is: a file here, a file of a Hugging Face repository, or an URL.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kvsplit::fetch {

// "hf:owner/repo/folder/file.gguf", "hf:owner/repo" or "hf:owner/repo:Q4_K_M"; after the repository there may
// be a revision: "hf:owner/repo@v2:Q4_K_M". "/" in a revision is written "%2F".
struct HubAddress {
    std::string repository;  // "owner/repo"
    std::string file;        // in the repository; empty: one is chosen
    std::string wanted;      // what the chosen file's name must contain; empty: anything
    std::string revision;    // a branch, tag or commit; empty: "main"
};

// Whether a path names something that has to be fetched: "hf:..." or "SCHEME://...".
bool is_remote(std::string_view path);

// Nothing for a path that does not begin with "hf:". Throws Error(kInvalidArgument) for one that names no
// file of a repository.
std::optional<HubAddress> parse_hub_address(std::string_view path);

// Whether a name from outside stays inside the folder that it is put in: relative, without "..", empty or
// hidden parts and control characters.
bool is_safe_file_name(std::string_view name);

}  // namespace kvsplit::fetch
