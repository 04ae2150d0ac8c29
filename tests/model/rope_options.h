// RopeOptions as the goldens write them.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "kvsplit/model.h"

namespace kvsplit::test {

// {"scaling": "yarn", "scale": 3.0, ...}; the file decides what is left out.
inline RopeOptions rope_options(const nlohmann::json& user) {
    using Scaling = RopeOptions::Scaling;
    static const std::map<std::string, Scaling> kKinds{{"", Scaling::kFile},
                                                       {"none", Scaling::kNone},
                                                       {"linear", Scaling::kLinear},
                                                       {"yarn", Scaling::kYarn}};
    return {.scaling = kKinds.at(user.value("scaling", "")),
            .scale = user.value("scale", 0.0),
            .frequency_base = user.value("frequency_base", 0.0),
            .original_context = user.value("original_context", 0)};
}

}  // namespace kvsplit::test
