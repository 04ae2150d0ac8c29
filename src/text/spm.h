// SentencePiece BPE: merges characters pair by pair, the pair with the best-scoring token first.
#pragma once

#include <array>
#include <bitset>

#include "text/tokenizer.h"

namespace kvsplit::text {

class SpmTokenizer final : public Tokenizer {
  public:
    explicit SpmTokenizer(VocabData data);

  private:
    struct Scratch;

    void encode_text(std::string_view text, bool after_special, std::vector<Token>& out) const override;
    std::string normal_bytes(std::string_view text) const override;
    void note_joints(std::string_view token);
    void encode_chunk(std::string_view chunk, Scratch& scratch, std::vector<Token>& out) const;
    void emit(std::string_view text, std::vector<Token>& out) const;

    std::array<Token, 256> byte_tokens_{};  // kNoToken if the vocabulary has none
    // Bit 256 * a + b: in some token, a character ending in byte a precedes one beginning with byte b.
    // Nothing merges across a joint that no token has, so both sides are encoded separately.
    std::bitset<65536> joints_;
};

}  // namespace kvsplit::text
