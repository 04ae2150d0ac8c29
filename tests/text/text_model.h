// TextModel: a model that has a tokenizer and nothing else.
#pragma once

#include "kvsplit/model.h"
#include "text/tokenizer.h"

namespace kvsplit::test {

class TextModel : public Model {
  public:
    explicit TextModel(std::unique_ptr<text::Tokenizer> tokenizer) : tokenizer_(std::move(tokenizer)) {}

    const ModelInfo& info() const override { return info_; }
    const ModelOptions& options() const override { return options_; }
    int threads() const override { return 1; }
    std::vector<Token> tokenize(std::string_view text, bool add_bos, bool parse_special) const override {
        return tokenizer_->encode(text, add_bos, parse_special);
    }
    std::string token_bytes(Token token, bool render_special) const override {
        return tokenizer_->token_bytes(token, render_special);
    }
    bool is_end_of_generation(Token token) const override { return tokenizer_->is_end_of_generation(token); }
    KvStats plan(const KvSpec&, int) const override { return {}; }

    std::string text_of(std::span<const Token> tokens) const {
        std::string out;
        for (const Token token : tokens) out += token_bytes(token, true);
        return out;
    }

  private:
    std::unique_ptr<text::Tokenizer> tokenizer_;
    ModelInfo info_;
    ModelOptions options_;
};

}  // namespace kvsplit::test
