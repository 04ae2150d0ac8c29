// PreTokenizer: splits a text into words; BPE never merges across them.
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
    // How a match of a step's pattern splits the piece that contains it.
    enum class Cut {
        kAround,           // the match becomes a piece of its own
        kBeforeThousands,  // the match is cut before every three characters counted from its end
        kAfterThousands,   // the same, but text before the match joins its first characters
    };
    struct Step {
        std::string_view pattern;  // in PCRE2's syntax
        Cut cut = Cut::kAround;
    };
    struct Traits {
        std::span<const std::string_view> names;  // values of tokenizer.ggml.pre
        std::span<const Step> steps;              // in order; each step splits the pieces of the one before
        bool ignore_merges = false;               // a word that is a token becomes that token, without merges
        bool add_bos = false;                     // unless the file says otherwise
        bool has_default_bos = true;              // without a start token in the file
        bool needs_merges = true;
        // As in SentencePiece: words are split into characters instead of bytes, with U+2581 for spaces.
        bool spaces_as_marks = false;
        bool whole_line_breaks = false;  // ignore_merges for words of line feeds
    };
    // nullptr for an unknown name. "" is "default".
    static const Traits* find(std::string_view name);
    // Throws Error(kUnsupported), which names source, for an unknown name.
    static const Traits& get(std::string_view name, std::string_view source);

    // Throws as get() does.
    PreTokenizer(std::string_view name, std::string_view source);
    ~PreTokenizer();

    const Traits& traits() const { return traits_; }

    // Non-empty views that together cover text. Any bytes are accepted: a byte that is not part of a
    // character counts as a symbol. Character classes are those of unicode_version().
    std::vector<std::string_view> split(std::string_view text) const;

  private:
    struct Pattern;
    const Traits& traits_;
    std::vector<std::unique_ptr<Pattern>> patterns_;  // of the steps
};

}  // namespace kvsplit::text
