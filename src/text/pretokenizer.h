// PreTokenizer: cuts a text into words, across which BPE never merges.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvsplit::text {

// Thread-safe once made.
class PreTokenizer {
  public:
    // What a match of a step's pattern does to the piece it is in.
    enum class Cut {
        kAround,           // it becomes a piece of its own
        kBeforeThousands,  // it is cut before every three characters counted from its end
        kAfterThousands,  // the same, after them: what comes before the match stays with its first characters
    };
    struct Step {
        std::string_view pattern;  // in PCRE2's syntax
        Cut cut = Cut::kAround;
    };
    struct Traits {
        std::span<const std::string_view> names;  // values of tokenizer.ggml.pre
        std::span<const Step> steps;  // one after the other; each sees the pieces of those before as texts
        bool ignore_merges = false;   // a word that is a token is that token, whatever the merges say
        bool add_bos = false;         // unless the file says otherwise
        bool has_default_bos = true;  // without a start token in the file
        bool needs_merges = true;
        // As SentencePiece does: words are of characters instead of bytes, with U+2581 for spaces.
        bool spaces_as_marks = false;
        bool whole_line_breaks = false;  // ignore_merges for words of line feeds
    };
    // nullptr for a name that is not known. "" is "default".
    static const Traits* find(std::string_view name);
    // Throws Error(kUnsupported) for a name that is not known, naming source.
    static const Traits& get(std::string_view name, std::string_view source);

    // Throws as get() does.
    PreTokenizer(std::string_view name, std::string_view source);
    ~PreTokenizer();

    const Traits& traits() const { return traits_; }

    // Views into text, none empty, that make up all of text. Any bytes are accepted: a byte that is not part
    // of a character counts as a symbol. Classes of characters are those of unicode_version().
    std::vector<std::string_view> split(std::string_view text) const;

  private:
    struct Pattern;
    const Traits& traits_;
    std::vector<std::unique_ptr<Pattern>> patterns_;  // of the steps
};

}  // namespace kvsplit::text
