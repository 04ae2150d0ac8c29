// Which file of a repository is taken where none is named.
#pragma once

#include <string>
#include <vector>

#include "fetch/address.h"

namespace kvsplit::fetch {

// Whether a file, by its name, only accompanies a model: a projector for pictures, an adapter, a draft model,
// an importance matrix, a vocabulary, ...
bool is_side_file(const std::string& file);

// Of the models among the files (the first part of those that are cut into several, if all parts are there)
// the one whose weights are the usual compromise of size and quality: Q4_K_M, else its neighbours; among
// these the one with the shortest path. Side files are chosen only from repositories that have nothing else,
// projectors and importance matrices never. Throws Error: kNotFound, listing what there is.
std::string choose_file(const std::vector<std::string>& files, const HubAddress& address);

}  // namespace kvsplit::fetch
