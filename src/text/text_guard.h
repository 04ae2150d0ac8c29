// TextGuard: keeps the texts of people from becoming tokens of the chat format.
//
// A chat template mixes both into one string. So each text is marked before it is rendered: where it spells
// the name of a control token, a mark is put after the name's first character. The same is done where a text
// begins or ends with a part of a name, which the template could complete. Names are found in any case, since
// templates may change it. After rendering the marks are removed, and what they broke is plain text. The
// marks are noncharacters of Unicode; a text that has these gets them back.
//
// User-defined tokens, such as Qwen's <think>, are not guarded: tokenizers find these in every text. The
// marks of harmony (kHarmonyMarks) are.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "text/prompt.h"
#include "text/vocab.h"

namespace kvsplit::text {

// Thread-safe: never changes once made. Copies share what they know.
class TextGuard {
  public:
    // Knows no tokens: marks nothing, and a prompt is one piece in which control tokens are read.
    TextGuard() = default;
    // Copies what it needs of the vocabulary.
    explicit TextGuard(const Vocab& vocab);

    // The text with marks. Texts without names of control tokens, or parts of them at an end, stay as they
    // are. Takes O(n) for usual texts.
    std::string protect(std::string_view text) const;
    // A rendered text cut into tokens and plain text, without marks.
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
