// What a session makes of tokens, to compare bit by bit.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "engine/hidden.h"
#include "kvsplit/model.h"

namespace kvsplit::test {

// The states after the last norm of tokens that the session has not seen, evaluated in batches of `step`.
inline std::vector<float> states(Session& session, const Model& model, std::span<const Token> tokens,
                                 std::size_t step) {
    const auto width = static_cast<std::size_t>(model.info().n_embd);
    std::vector<float> hidden(tokens.size() * width);
    for (std::size_t i = 0; i < tokens.size(); i += step) {
        const std::size_t n = std::min(step, tokens.size() - i);
        eval_hidden(session, tokens.subspan(i, n), {hidden.data() + i * width, n * width});
    }
    return hidden;
}

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace kvsplit::test
