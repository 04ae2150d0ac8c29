// Which file of a repository is taken where none is named.
#pragma once

#include <string>
#include <vector>

#include "fetch/address.h"

namespace kvsplit::fetch {

// Of the models among the files (the first part of those that are cut into several) the one whose weights are
// the usual compromise of size and quality: Q4_K_M, else its neighbours. Throws Error: kNotFound, listing
// what there is.
std::string choose_file(const std::vector<std::string>& files, const HubAddress& address);

}  // namespace kvsplit::fetch
