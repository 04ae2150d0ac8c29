// VocabData: a tokenizer's tables as stored in the model file. Vocab: the same, checked and indexed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"
#include "kvsplit/model.h"
#include "text/string_table.h"

namespace kvsplit::text {

inline constexpr Token kNoToken = -1;

enum class VocabKind { kSpm, kBpe };

// Bits; the low six follow tokenizer.ggml.token_type, and a token may gain more.
enum TokenAttr : std::uint8_t {
    kAttrNormal = 1,
    kAttrUnknown = 2,
    kAttrControl = 4,
    kAttrUserDefined = 8,
    kAttrUnused = 16,
    kAttrByte = 32,
    kAttrStripLeft = 64,    // swallows white space before it
    kAttrStripRight = 128,  // swallows white space after it
};

// The tokens that structure messages of the "harmony" format. Treated as user-defined whatever the file says,
// yet they belong to the chat format: users' text must not become them.
inline constexpr std::array<std::string_view, 4> kHarmonyMarks = {"<|channel|>", "<|message|>", "<|start|>",
                                                                  "<|constrain|>"};

// Plain and unchecked. The views must outlive every object made from them.
struct VocabData {
    std::string source;  // for messages: the file's path
    VocabKind kind = VocabKind::kSpm;
    std::string pre;                       // name of the pre-tokenizer (BPE only); "" = default
    std::string model_name;                // general.name: identifies some models
    std::vector<std::string_view> tokens;  // (n_vocab)
    std::vector<float> scores;             // (n_vocab) or empty; SPM only
    std::vector<std::int32_t> types;       // (n_vocab) or empty; GGUF's token_type numbers
    std::vector<std::string_view> merges;  // "left right", best first; BPE only
    Token bos = kNoToken;
    Token eos = kNoToken;
    Token eot = kNoToken;
    Token eom = kNoToken;
    Token unk = kNoToken;
    Token fim_pad = kNoToken;
    Token fim_rep = kNoToken;
    Token fim_sep = kNoToken;
    bool add_bos = false;
    bool add_space_prefix = false;  // SPM only
    bool ignore_merges = false;     // a word that is a token becomes that token, without merges

    // Throws Error: kFormat for metadata that cannot be a vocabulary, kUnsupported for a kind of tokenizer
    // that this build lacks. Drops ids out of range, which occur in real files.
    static VocabData read(const gguf::File& file);
};

// Thread-safe once made.
class Vocab {
  public:
    // Throws Error(kFormat) naming source and key.
    explicit Vocab(VocabData data);

    const VocabData& data() const { return data_; }
    int size() const { return static_cast<int>(data_.tokens.size()); }
    std::string_view text(Token token) const { return data_.tokens[static_cast<std::size_t>(token)]; }
    std::uint8_t attr(Token token) const { return attrs_[static_cast<std::size_t>(token)]; }
    float score(Token token) const {
        return data_.scores.empty() ? 0.0f : data_.scores[static_cast<std::size_t>(token)];
    }
    bool contains(Token token) const { return token >= 0 && token < size(); }
    // The first token with this text; kNoToken if there is none.
    Token find(std::string_view text) const { return by_text_.find(text); }
    std::size_t max_token_bytes() const { return max_token_bytes_; }
    // Sorted.
    const std::vector<Token>& end_of_generation() const { return eog_; }

  private:
    void check_lengths() const;
    void set_attrs();
    void find_special_tokens();
    void collect_end_of_generation();
    void settle_marked_tokens();
    void set_strip_attrs();
    Token make_control(std::initializer_list<std::string_view> names);

    VocabData data_;
    std::vector<std::uint8_t> attrs_;  // (n_vocab)
    StringTable by_text_;
    std::vector<Token> eog_;
    std::size_t max_token_bytes_ = 0;
};

}  // namespace kvsplit::text
