// Prompt: what a model is to read, with the tokens of the chat format apart from the texts of people.
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

// Pieces in order. Where pieces meet, at least one of them is a token, unless plain text had to be cut inside
// the name of one.
using Prompt = std::vector<PromptPiece>;

std::string prompt_text(const Prompt& prompt);

// add_bos: with the model's start token in front, where it wants one.
std::vector<Token> tokenize(const Model& model, const Prompt& prompt, bool add_bos);

}  // namespace kvsplit::text
