// Prompt: a model's input, with the chat format's tokens kept apart from users' texts.
#pragma once

#include <string>
#include <vector>

#include "kvsplit/model.h"

namespace kvsplit::text {

struct PromptPiece {
    std::string text;
    bool special = false;  // names of control tokens in the text become those tokens
    bool operator==(const PromptPiece&) const = default;
};

// Pieces in order. Of two adjacent pieces at least one is a token, unless plain text had to be cut inside a
// token's name.
using Prompt = std::vector<PromptPiece>;

std::string prompt_text(const Prompt& prompt);

// add_bos: puts the start token in front if the model uses one.
std::vector<Token> tokenize(const Model& model, const Prompt& prompt, bool add_bos);

}  // namespace kvsplit::text
