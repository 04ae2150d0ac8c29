// Byte-level BPE: words of bytes, merged pair by pair in the order of a list of merges.
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
    // A symbol is a token, or, from vocab_size() on, a text that merges name but that is no token.
    using Symbol = std::int32_t;
    struct Scratch;

    void encode_text(std::string_view text, bool after_special, std::vector<Token>& out) const override;
    std::string normal_bytes(std::string_view text) const override;
    void read_merges();
    Symbol intern(std::string_view text);
    void encode_word(std::string_view word, Scratch& scratch, std::vector<Token>& out) const;
    void emit(Symbol symbol, std::string_view bytes, std::vector<Token>& out) const;

    PreTokenizer pretokenizer_;
    std::array<Symbol, 256> byte_symbols_{};
    PairTable merges_;
    StringTable extra_symbols_;      // texts of symbols that are no tokens
    std::deque<std::string> texts_;  // what extra_symbols_ points to
};

}  // namespace kvsplit::text
