// SpecialTokens: finds the tokens to cut out of a text before the tokenizer's algorithm runs on the rest.
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
    // Uses the control, unknown and user-defined tokens. Those longer than kMaxBytes are never matched.
    explicit SpecialTokens(const Vocab& vocab);
    static constexpr std::size_t kMaxBytes = 512;

    // Longer tokens win, then those further left; matches do not overlap. The result equals searching the
    // whole text for each token in turn, but the time does not depend on the number of tokens. Finds control
    // and unknown tokens only with parse_special.
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
