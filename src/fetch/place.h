// Paths of files in the cache.
//
//   CACHE/hf/OWNER/REPOSITORY[@REVISION]/FILE
//   CACHE/url/HOST/KEY/FILE                     KEY: 16 hexadecimal digits for the address
//
// No text from a user or a server leads out of these folders, and names contain no secrets.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "fetch/address.h"
#include "fetch/url.h"

namespace kvsplit::fetch {

// Shortens an external name to at most 200 bytes: beginning, hash and ending (".gguf",
// "-00001-of-00005.gguf"), so that parts of a split model stay recognisable.
std::string file_name_for(const std::string& name);

// The folder of a repository's files.
std::filesystem::path hub_folder(const std::filesystem::path& cache, const HubAddress& address);
// Converts a path in a repository to one in its folder.
std::filesystem::path hub_file(const std::string& file);

// An address's key in the cache. Ignores scheme, user, password, fragment, and query parameters that only
// sign it (Amazon, CloudFront, Google, Azure) or do not change the file (download). All parts of a split
// model share a key.
std::string url_key(const Url& url);
std::filesystem::path url_file(const std::filesystem::path& cache, const Url& url);

// Where earlier versions, which ignored queries, kept the file of an address; nothing if that may be another
// address's file. text: as the user wrote it.
std::optional<std::filesystem::path> old_url_file(const std::filesystem::path& cache,
                                                  const std::string& text);

}  // namespace kvsplit::fetch
