// BPE: merges the bytes (or characters) of words pair by pair, in the order of a list of merges.
#pragma once

#include <array>
#include <deque>

#include "text/pretokenizer.h"
#include "text/string_table.h"
#include "text/tokenizer.h"

namespace kvsplit::text {

class BpeTokenizer final : public Tokenizer {
  public:
    explicit BpeTokenizer(VocabData data);

  private:
    // A symbol is a token; or, from vocab_size() on, a text that occurs in merges but is no token; or
    // kUnknownSymbol, for any other text.
    using Symbol = std::int32_t;
    static constexpr Symbol kUnknownSymbol = -2;
    struct Scratch;

    void encode_text(std::string_view text, bool after_special, std::vector<Token>& out) const override;
    std::string normal_bytes(std::string_view text) const override;
    void read_merges();
    Symbol find(std::string_view text) const;
    Symbol intern(std::string_view text);
    Token whole_word(std::string_view word, Scratch& scratch) const;
    void start_word(std::string_view word, Scratch& scratch) const;
    void encode_word(std::string_view word, Scratch& scratch, std::vector<Token>& out) const;
    void emit(Symbol symbol, std::string_view bytes, std::vector<Token>& out) const;

    PreTokenizer pretokenizer_;
    const bool of_characters_;                // words are split into characters, spaces become U+2581
    std::array<Symbol, 256> byte_symbols_{};  // tokens, if words are of characters; kUnknownSymbol: none
    PairTable merges_;
    StringTable extra_symbols_;      // texts of symbols that are no tokens
    std::deque<std::string> texts_;  // owns the texts in extra_symbols_
};

}  // namespace kvsplit::text
