// File names of a split model: "name-00002-of-00005.gguf".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kvsplit {

struct SplitName {
    std::string prefix;  // "folder/name"
    int number = 1;      // from 1 on
    int count = 1;

    // The name of another part.
    std::string part(int n) const;
};

// nullopt if the name does not have this form.
std::optional<SplitName> parse_split_name(std::string_view path);

}  // namespace kvsplit
