// The chat templates of models that tests are run with.
#pragma once

#include <filesystem>
#include <string>

#include "text/golden_tokens.h"

namespace kvsplit::test {

// The file of the repository, else of the shared data; "" if it is in neither.
inline std::string find_template(const std::string& name) {
    for (const std::string& folder : {std::string{KVSPLIT_TEST_DATA} + "/chat/templates/",
                                      std::string{KVSPLIT_SHARED_DATA} + "/templates/"}) {
        if (std::filesystem::exists(folder + name)) return read_text(folder + name);
    }
    return {};
}

}  // namespace kvsplit::test
