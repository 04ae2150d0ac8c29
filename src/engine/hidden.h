// Hidden states, which let the lab compare many caches without keeping full logits of each.
#pragma once

#include <span>

#include "kvsplit/model.h"

namespace kvsplit {

// Appends tokens to the session like Session::eval, and writes the states after the model's last norm.
// hidden: (tokens.size(), n_embd). Throws Error like eval().
void eval_hidden(Session& session, std::span<const Token> tokens, std::span<float> hidden);

// logits (n, n_vocab) of hidden states (n, n_embd).
void project_logits(const Model& model, std::span<const float> hidden, std::span<float> logits);

}  // namespace kvsplit
