// Model: a GGUF language model, ready to run. Session: one sequence with its own cache.
//
// Threads: a Model may be shared by any number of threads for reading (info, tokenize, detokenize).
// Evaluation uses the model's one thread pool, so Sessions of one Model take turns: eval() calls lock
// internally. One Session belongs to one thread at a time. Units: token counts are tokens, sizes are bytes,
// times are seconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvsplit/kv_spec.h"

namespace kvsplit {

using Token = std::int32_t;

// How positions are stretched, so that a model reaches further than it was trained for. What is 0 is the
// file's.
struct RopeOptions {
    enum class Scaling { kFile, kNone, kLinear, kYarn };
    Scaling scaling = Scaling::kFile;
    double scale = 0;           // how many times the trained context is wanted
    double frequency_base = 0;  // of the rotary embedding
    int original_context = 0;   // tokens that the model was trained for; YaRN only
};

struct ModelOptions {
    int threads = 0;     // 0: as many as there are physical cores
    bool exact = false;  // f32 activations on dequantised weights: slow, for measuring
    // Of activations where they meet integer weights, 8 or 16; without meaning with `exact`. 16 is an
    // experiment: it takes most of the noise away that rounding activations makes (docs/measuring.md).
    int activation_bits = 8;
    RopeOptions rope = {};
    // Map the file and read it as weights are prepared; else read it whole first, which is quicker where
    // mapped pages come slowly, and takes the file's size in memory while it lasts.
    bool mmap = true;
};

struct ModelInfo {
    std::string path;
    std::string name;
    std::string architecture;  // "llama", "gemma3"
    std::string weight_type;   // the most frequent type by bytes, e.g. "Q4_1"
    std::uint64_t file_bytes = 0;
    std::uint64_t n_parameters = 0;
    int n_layers = 0;
    // Those with keys and values of their own, which a KvSpec counts: all, but in hybrid models and where
    // later layers read the keys and values of earlier ones.
    int n_cache_layers = 0;
    int n_recurrent_layers = 0;       // those with a state of fixed size, beside keys and values or not
    std::size_t recurrent_bytes = 0;  // of all these states of a sequence
    int n_embd = 0;
    int n_heads = 0;
    int n_kv_heads = 0;  // in the layer that has most
    int head_dim = 0;    // channels of a key; where layers differ, of those without a window
    int latent_dim = 0;  // of these, so many are the value as well, kept once; 0: values are kept apart
    int n_ff = 0;
    int n_vocab = 0;
    int context_length = 0;   // what the model was trained for, or reaches with RopeOptions
    int sliding_window = 0;   // 0: none
    int n_window_layers = 0;  // how many layers have that window
};

// Bytes of the cache of one sequence. Everything stored is counted; total is what is allocated.
struct KvBytes {
    std::size_t key = 0;    // sealed keys: codes, scales, means
    std::size_t value = 0;  // sealed values: codes, scales
    std::size_t exact = 0;  // 16-bit keys and values of the open pages and the sinks, smoothing vectors,
                            // padding; and the state of recurrent layers
    std::size_t total() const { return key + value + exact; }
};

struct KvStats {
    KvBytes bytes;
    std::size_t recurrent = 0;  // of bytes.exact: the state of recurrent layers, in f32 whatever the tokens
    std::size_t f16_total = 0;  // what the same tokens take with an f16 cache, same pages, same windows
    double key_bits_per_element = 16;  // of sealed pages: everything stored / elements
    double value_bits_per_element = 16;
    double key_share = 0.5;  // of the elements, those with the width of keys; a latent is most of them
    double bits_per_element() const {
        return key_share * key_bits_per_element + (1 - key_share) * value_bits_per_element;
    }
    double saved_pct() const {
        return f16_total ? 100.0 * (1.0 - double(bytes.total()) / double(f16_total)) : 0;
    }
};

class Model : public std::enable_shared_from_this<Model> {
  public:
    // Maps the file, checks it, and prepares the weights. Throws Error.
    static std::shared_ptr<Model> load(const std::string& path, const ModelOptions& options = {});
    virtual ~Model() = default;

    virtual const ModelInfo& info() const = 0;
    virtual const ModelOptions& options() const = 0;

    // Text to tokens. add_bos adds the model's own start token where the model wants one. With parse_special,
    // names of control tokens in the text ("<|im_end|>") become those tokens.
    virtual std::vector<Token> tokenize(std::string_view text, bool add_bos, bool parse_special) const = 0;
    // Bytes of one token: may be part of a character. Control tokens give "" unless render_special.
    virtual std::string token_bytes(Token token, bool render_special = false) const = 0;
    virtual bool is_end_of_generation(Token token) const = 0;

    // What a cache of n_tokens would take, without making it (the same function that sizes the real one).
    virtual KvStats plan(const KvSpec& spec, int n_tokens) const = 0;
};

// One sequence of tokens and its cache.
class Session {
  public:
    // context: the most tokens this session can hold; 0 means the model's own context length.
    // Throws Error(kUnsupported) where the model's head size cannot take a width.
    static std::unique_ptr<Session> create(std::shared_ptr<Model> model, const KvSpec& spec, int context = 0);
    virtual ~Session() = default;

    virtual const KvSpec& spec() const = 0;
    virtual int context() const = 0;
    virtual int length() const = 0;  // tokens held

    // Appends tokens; afterwards logits() are those after the last one. progress is called between batches
    // with the number of tokens done so far; returning false stops there (what was done stays). Returns
    // tokens done.
    using Progress = std::function<bool(int done)>;
    virtual int eval(std::span<const Token> tokens, const Progress& progress = {}) = 0;
    // (n_vocab). Valid until the next eval().
    virtual std::span<const float> logits() const = 0;

    // Forgets the tokens from position n on. Returns the position to evaluate again from, at most n: a cache
    // whose pages are still open (or exact) keeps all n; one that sealed the pages around n restarts from
    // where the result is again what a fresh run gives; one of a model with recurrent layers keeps
    // all tokens or none. length() equals the returned value afterwards.
    virtual int trim(int n) = 0;
    void clear() { trim(0); }
    // A second session that continues from here. Sealed pages are shared, open pages and
    // recurrent states are copied.
    virtual std::unique_ptr<Session> fork() const = 0;

    virtual KvStats stats() const = 0;
};

}  // namespace kvsplit
