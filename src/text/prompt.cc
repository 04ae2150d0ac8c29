#include "text/prompt.h"

namespace kvsplit::text {

std::string prompt_text(const Prompt& prompt) {
    std::string out;
    for (const PromptPiece& piece : prompt) out += piece.text;
    return out;
}

std::vector<Token> tokenize(const Model& model, const Prompt& prompt, bool add_bos) {
    std::vector<Token> out = model.tokenize("", add_bos, false);
    for (const PromptPiece& piece : prompt) {
        const auto tokens = model.tokenize(piece.text, false, piece.special);
        out.insert(out.end(), tokens.begin(), tokens.end());
    }
    return out;
}

}  // namespace kvsplit::text
