// TextGuard: keeps users' texts from becoming tokens of the chat format.
//
// A chat template mixes both into one string, so each text is marked before rendering: a mark follows the
// first character of every control token's name. The same goes for part of a name at the start or end of a
// text, which the template could complete. Names match in any letter case, since templates may change it.
// After rendering, the marks are removed, and the names they broke are plain text. The marks are Unicode
// noncharacters; a text that contains them gets them back.
//
// User-defined tokens, such as Qwen's <think>, are not guarded: tokenizers find them in every text. Harmony's
// (kHarmonyMarks) are guarded.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "text/prompt.h"
#include "text/vocab.h"

namespace kvsplit::text {

// Thread-safe: immutable. Copies share their data.
class TextGuard {
  public:
    // Knows no tokens: marks nothing, and returns a prompt as one piece in which control tokens are parsed.
    TextGuard() = default;
    // Copies what it needs from the vocabulary.
    explicit TextGuard(const Vocab& vocab);

    // The text with marks; unchanged if it contains no names of control tokens, nor parts of them at an end.
    // O(n) for usual texts.
    std::string protect(std::string_view text) const;
    // Splits a rendered text into tokens and plain text, without marks.
    Prompt cut(std::string_view marked) const;
    std::string without_marks(std::string_view marked) const;

    // The control, unknown or user-defined token of this name; kNoToken if there is none.
    Token token(std::string_view name) const;
    // The name of such a token at the start of the text; "" if there is none.
    std::string_view token_at_start(std::string_view text) const;

  private:
    struct Names;
    std::shared_ptr<const Names> names_;
};

}  // namespace kvsplit::text
