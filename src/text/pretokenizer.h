// PreTokenizer: cuts a text into words, across which byte-level BPE never merges.
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
    struct Traits {
        std::span<const std::string_view> names;     // values of tokenizer.ggml.pre
        std::span<const std::string_view> patterns;  // applied one after the other
        bool ignore_merges = false;
        bool add_bos = false;  // unless the file says otherwise
    };
    // nullptr for a name that is not known. "" is "default".
    static const Traits* find(std::string_view name);

    // Throws Error(kUnsupported) for a name that is not known, naming source.
    PreTokenizer(std::string_view name, std::string_view source);
    ~PreTokenizer();

    // Views into text, none empty, that make up all of text. Any bytes are accepted: a byte that is not part
    // of a character counts as a symbol.
    std::vector<std::string_view> split(std::string_view text) const;

  private:
    struct Pattern;
    std::vector<std::unique_ptr<Pattern>> patterns_;
};

}  // namespace kvsplit::text
