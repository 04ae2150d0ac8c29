// The chat templates of models that tests are run with.
#pragma once

#include <string>

#include "test_models.h"
#include "text/golden_tokens.h"

namespace kvsplit::test {

// The template's source; "" if it is neither in tests/golden nor in what scripts/test_data.sh got.
inline std::string find_template(const std::string& name) {
    const std::string path = test_data_path("chat/templates/" + name, "templates/" + name);
    return path.empty() ? path : read_text(path);
}

}  // namespace kvsplit::test
