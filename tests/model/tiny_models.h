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
    std::vector<int> positions;              // positions with known logits
    std::vector<int> ids;                    // tokens with known logits
    std::vector<std::vector<float>> logits;  // [position][id]
    // The same after the user stretches the rotary embedding linearly by this factor; 1: none.
    double stretch = 1;
    std::vector<int> stretched_positions;
    std::vector<std::vector<float>> stretched_logits;

    // The model's file.
    GgufWriter file() const;
};

// Reads tests/golden/models/NAME.json.
TinyModelGolden read_tiny_model(const std::string& name);
// The names of all of them, sorted.
std::vector<std::string> tiny_model_names();

}  // namespace kvsplit::test
