// Chooses a file of a repository if none is named.
#pragma once

#include <string>
#include <vector>

#include "fetch/address.h"

namespace kvsplit::fetch {

// Whether a file's name shows that it only accompanies a model: an image projector, an adapter, a draft
// model, an importance matrix, a vocabulary, ...
bool is_side_file(const std::string& file);

// The model with the usual compromise of size and quality: Q4_K_M, else its neighbours; among equals, the
// shortest path. For a complete split model, its first part. Chooses side files only from repositories that
// have nothing else, projectors and importance matrices never. Throws Error(kNotFound), which lists the
// files.
std::string choose_file(const std::vector<std::string>& files, const HubAddress& address);

}  // namespace kvsplit::fetch
