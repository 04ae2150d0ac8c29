// Hashes of token lists, as the oracles write them.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "text/encode_as_llama_cpp.h"
#include "text/tokenizer.h"

namespace kvsplit::test {

// FNV-1a over little-endian ids.
inline std::uint64_t fnv1a(const std::vector<Token>& tokens) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const Token token : tokens) {
        for (int shift = 0; shift < 32; shift += 8) {
            hash = (hash ^ ((static_cast<std::uint32_t>(token) >> shift) & 0xff)) * 0x100000001b3;
        }
    }
    return hash;
}

// hard_texts.json has the lower half in hexadecimal.
inline std::string short_hash(const std::vector<Token>& tokens) {
    return fmt::format("{:08x}", fnv1a(tokens) & 0xffffffff);
}

// The hash of a text's tokens without special tokens, followed by those with them.
inline std::string hash_of_both(const text::Tokenizer& tokenizer, const std::string& text) {
    auto tokens = encode_as_llama_cpp(tokenizer, text, false);
    const auto special = encode_as_llama_cpp(tokenizer, text, true);
    tokens.insert(tokens.end(), special.begin(), special.end());
    return short_hash(tokens);
}

// The words of a line.
inline std::vector<std::string> words_of(const nlohmann::json& line) {
    std::istringstream in(line.get<std::string>());
    return {std::istream_iterator<std::string>(in), std::istream_iterator<std::string>()};
}

}  // namespace kvsplit::test
