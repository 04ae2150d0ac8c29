// WordCache: the tokens of words seen earlier in a text. Natural text repeats most of its words.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "kvsplit/model.h"
#include "text/string_table.h"

namespace kvsplit::text {

// For use within one call: keys are views into the text. Not thread-safe.
class WordCache {
  public:
    // Appends the tokens of word to out, from encode(word, out) if the word is new.
    template <typename F>
    void encode(std::string_view word, std::vector<Token>& out, F&& encode_new) {
        if (const std::int32_t found = words_.find(word); found >= 0) {
            const Entry entry = entries_[static_cast<std::size_t>(found)];
            const auto begin = tokens_.begin() + static_cast<std::ptrdiff_t>(entry.begin);
            out.insert(out.end(), begin, begin + entry.count);
            return;
        }
        const std::size_t before = out.size();
        encode_new(word, out);
        if (word.size() > kMaxWordBytes || entries_.size() == kMaxWords) return;
        words_.insert(word, static_cast<std::int32_t>(entries_.size()));
        entries_.push_back({tokens_.size(), static_cast<std::ptrdiff_t>(out.size() - before)});
        tokens_.insert(tokens_.end(), out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
    }

  private:
    // Long words rarely repeat; more words would not fit into the processor's cache.
    static constexpr std::size_t kMaxWordBytes = 48, kMaxWords = 65536;
    struct Entry {
        std::size_t begin;  // in tokens_
        std::ptrdiff_t count;
    };
    StringTable words_;
    std::vector<Entry> entries_;
    std::vector<Token> tokens_;
};

}  // namespace kvsplit::text
