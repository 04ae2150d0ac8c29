// The small models of scripts/oracles/tiny_models.py, which says how their numbers are made.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gguf/gguf_writer.h"
#include "kvsplit/model.h"

namespace kvsplit::test {

struct TinyModelGolden {
    std::string name;
    nlohmann::json spec;
    std::vector<Token> tokens;
    std::vector<int> positions;              // whose logits are known
    std::vector<int> ids;                    // of which tokens
    std::vector<std::vector<float>> logits;  // [position][id]
    // Likewise, of a user who stretches the rotary embedding linearly; 1: there are none.
    double stretch = 1;
    std::vector<int> stretched_positions;
    std::vector<std::vector<float>> stretched_logits;

    // The model's file.
    GgufWriter file() const;
};

// Of tests/golden/models/NAME.json.
TinyModelGolden read_tiny_model(const std::string& name);
// All there are, sorted.
std::vector<std::string> tiny_model_names();

}  // namespace kvsplit::test
