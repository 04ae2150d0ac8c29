// SpecialTokens: finds the tokens that are cut out of a text before the tokenizer's algorithm sees the rest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/vocab.h"

namespace kvsplit::text {

// A piece of a text: a special token, or (token == kNoToken) plain text.
struct Fragment {
    Token token = kNoToken;
    std::string_view text;
};

// Thread-safe once made.
class SpecialTokens {
  public:
    // Takes the control, unknown and user-defined tokens. Ones longer than kMaxBytes are never matched.
    explicit SpecialTokens(const Vocab& vocab);
    static constexpr std::size_t kMaxBytes = 512;

    // Longer tokens first, equally long ones from left to right, none overlapping: what searching the whole
    // text for one token after the other gives, in time that does not depend on how many tokens there are.
    // Control and unknown tokens only with parse_special.
    std::vector<Fragment> split(std::string_view text, bool parse_special) const;

  private:
    struct Node {
        std::int32_t child = 0;    // first child; 0: none
        std::int32_t sibling = 0;  // next child of the same parent; 0: none
        Token token = kNoToken;    // the token that ends here
        std::uint8_t byte = 0;
        bool always = false;  // matched without parse_special too
    };
    struct Match {
        std::size_t position = 0;
        std::size_t length = 0;
        Token token = kNoToken;
    };
    std::int32_t child(std::int32_t node, std::uint8_t byte) const;
    void add(std::string_view text, Token token, bool always);
    // The longest token at the start of text that is shorter than limit; length 0 if none.
    Match longest(std::string_view text, std::size_t limit, bool parse_special) const;
    std::vector<Match> choose(std::string_view text, bool parse_special) const;

    const Vocab& vocab_;
    std::vector<Node> nodes_;                // a trie; nodes_[0] is the root
    std::array<std::int32_t, 256> first_{};  // the root's children by byte; 0: none
};

}  // namespace kvsplit::text
