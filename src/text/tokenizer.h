// Tokenizer: text to tokens and back, as the model file specifies.
//
// The kinds, by tokenizer.ggml.model: byte-level BPE ("gpt2"), BPE of characters ("gemma4", and "gpt2" with
// some pre-tokenizers) and SentencePiece BPE ("llama"). Where the file leaves a choice open, this follows
// llama.cpp, so that both give the same tokens for the same file.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"
#include "kvsplit/model.h"
#include "text/special_tokens.h"
#include "text/vocab.h"

namespace kvsplit::text {

// Thread-safe once made.
class Tokenizer {
  public:
    // The file must outlive the tokenizer, which keeps views into it. Throws Error: kFormat, naming file and
    // key, for damaged metadata; kUnsupported for an unknown kind of tokenizer or pre-tokenizer.
    static std::unique_ptr<Tokenizer> create(const gguf::File& file);
    // The same from tables. The views' data must outlive the tokenizer.
    static std::unique_ptr<Tokenizer> create(VocabData data);
    virtual ~Tokenizer() = default;
    static constexpr std::size_t kMaxTextBytes = std::size_t{512} << 20;
    Tokenizer(const Tokenizer&) = delete;
    Tokenizer& operator=(const Tokenizer&) = delete;

    // Accepts any bytes; those that are not UTF-8 become byte tokens. With parse_special, names of control
    // tokens become those tokens; names of user-defined tokens always do. add_bos puts the start token in
    // front if the model uses one and the text does not already begin with it (after white space). Never
    // appends end tokens or separators, even if the file asks for them: the text is to be continued. O(n log
    // n). Throws Error(kInvalidArgument) for a text of more than kMaxTextBytes.
    std::vector<Token> encode(std::string_view text, bool add_bos, bool parse_special) const;

    // The bytes of a token, perhaps part of a character. Control and unknown tokens give "", or their names
    // with render_special. An id outside the vocabulary gives "".
    std::string token_bytes(Token token, bool render_special = false) const;

    int vocab_size() const { return vocab_.size(); }
    // kNoToken if the model has none.
    Token bos() const { return vocab_.data().bos; }
    Token eos() const { return vocab_.data().eos; }
    Token eot() const { return vocab_.data().eot; }
    bool adds_bos() const { return vocab_.data().add_bos; }
    bool is_end_of_generation(Token token) const;
    bool is_control(Token token) const {
        return vocab_.contains(token) && (vocab_.attr(token) & kAttrControl) != 0;
    }
    // kNoToken if there is no token with exactly this text (as the vocabulary spells it).
    Token find(std::string_view text) const { return vocab_.find(text); }

  protected:
    explicit Tokenizer(VocabData data);

    // Appends the tokens of a text without special tokens. after_special: the text starts the prompt or
    // follows a special token.
    virtual void encode_text(std::string_view text, bool after_special, std::vector<Token>& out) const = 0;
    // token_bytes() of a normal token.
    virtual std::string normal_bytes(std::string_view text) const = 0;

    const Vocab vocab_;

  private:
    SpecialTokens special_;
};

}  // namespace kvsplit::text
