// Tokens as llama.cpp makes them, for comparisons with it.
#pragma once

#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace kvsplit::test {

// With the start token in front where the model wants one, also of a text that begins with it: llama.cpp
// doubles it.
inline std::vector<Token> encode_as_llama_cpp(const text::Tokenizer& tokenizer, std::string_view text,
                                              bool parse_special) {
    std::vector<Token> tokens = tokenizer.encode("", true, false);
    const std::vector<Token> rest = tokenizer.encode(text, false, parse_special);
    tokens.insert(tokens.end(), rest.begin(), rest.end());
    return tokens;
}

}  // namespace kvsplit::test
