#include "text/prompt.h"

#include "text/utf8.h"

namespace kvsplit::text {

std::string prompt_text(const Prompt& prompt) {
    std::string out;
    for (const PromptPiece& piece : prompt) out += piece.text;
    return out;
}

std::vector<Token> tokenize(const Model& model, const Prompt& prompt, bool add_bos) {
    // The first token with any white space before it, so that a start token there is not doubled.
    PromptPiece start = prompt.empty() ? PromptPiece{} : prompt[0];
    std::size_t next = 1;
    if (prompt.size() > 1 && prompt[1].special && strip(start.text).empty()) {
        start = {start.text + prompt[1].text, true};
        next = 2;
    }
    std::vector<Token> out = model.tokenize(start.text, add_bos, start.special);
    for (; next < prompt.size(); ++next) {
        const auto tokens = model.tokenize(prompt[next].text, false, prompt[next].special);
        out.insert(out.end(), tokens.begin(), tokens.end());
    }
    return out;
}

}  // namespace kvsplit::text
