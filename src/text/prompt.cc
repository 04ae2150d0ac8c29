#include "text/prompt.h"

namespace kvsplit::text {

std::string prompt_text(const Prompt& prompt) {
    std::string out;
    for (const PromptPiece& piece : prompt) out += piece.text;
    return out;
}

std::vector<Token> tokenize(const Model& model, const Prompt& prompt, bool add_bos) {
    std::vector<Token> out;
    for (const PromptPiece& piece : prompt) {
        const bool first = &piece == &prompt.front();
        const auto tokens = model.tokenize(piece.text, add_bos && first, piece.special);
        out.insert(out.end(), tokens.begin(), tokens.end());
    }
    return prompt.empty() ? model.tokenize("", add_bos, false) : out;
}

}  // namespace kvsplit::text
