// Where files are in the cache.
//
//   CACHE/hf/OWNER/REPOSITORY[@REVISION]/FILE
//   CACHE/url/HOST/KEY/FILE                     KEY: 16 hexadecimal digits for the address
//
// Nothing that a user or a server wrote leads out of these folders, and no secret is in a name.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "fetch/address.h"
#include "fetch/url.h"

namespace kvsplit::fetch {

// A name of at most 200 bytes for one from outside: long ones keep their beginning, their hash and their end
// (".gguf", "-00001-of-00005.gguf"), so that the parts of a model that is cut into several stay recognisable.
std::string file_name_for(const std::string& name);

// The folder of a repository's files.
std::filesystem::path hub_folder(const std::filesystem::path& cache, const HubAddress& address);
// A path in a repository as a path in its folder.
std::filesystem::path hub_file(const std::string& file);

// What stands for an address in the cache: all of it but the scheme, user, password, fragment, and the
// parameters of a query that only sign it (those of Amazon, CloudFront, Google and Azure) or do not change
// the file (download). Parts of a model that is cut into several have the same key.
std::string url_key(const Url& url);
std::filesystem::path url_file(const std::filesystem::path& cache, const Url& url);

// Where earlier versions, which ignored queries, kept the file of an address; nothing where another address's
// file may be there. text: as the user wrote it.
std::optional<std::filesystem::path> old_url_file(const std::filesystem::path& cache,
                                                  const std::string& text);

}  // namespace kvsplit::fetch
