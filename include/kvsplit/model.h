// Model: a GGUF language model, ready to run. Session: one sequence with its own cache.
//
// Threads: any number of threads may read a Model (info, tokenize, token_bytes, plan). Evaluation uses the
// model's one thread pool, so Sessions of one Model take turns: eval() locks internally. A Session belongs to
// one thread at a time. Units: counts of tokens, sizes in bytes, times in seconds.
//
// fork(): a child process may use and free what its parent had, except sessions that other threads were using
// at the fork. If another thread was evaluating with a model, evaluating with that model throws
// Error(kUnsupported) in the child.
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

// How positions are stretched to reach beyond the trained context. A field that is 0 takes the file's value.
struct RopeOptions {
    enum class Scaling { kFile, kNone, kLinear, kYarn };
    Scaling scaling = Scaling::kFile;
    double scale = 0;           // the wanted context, as a multiple of the trained one
    double frequency_base = 0;  // of the rotary embedding
    int original_context = 0;   // tokens the model was trained for; YaRN only
};

struct ModelOptions {
    // 0: one per physical core that the process may run on, within the CPU quota of its container. See
    // Model::threads().
    int threads = 0;
    bool exact = false;  // f32 activations on dequantised weights: slow, for measuring
    // Bits of activations multiplied with integer weights: 16 (also by 0, the default) or 8. Ignored with
    // `exact`. 8 makes prefill faster, and the rounding shows in the text (docs/measuring.md).
    int activation_bits = 0;
    // Resolves the two above: 8, 16, or 32 with `exact`.
    int activations() const { return exact ? 32 : activation_bits == 0 ? 16 : activation_bits; }
    RopeOptions rope = {};
    // Read the file piece by piece while preparing weights. Otherwise read all of it first, which takes the
    // file's size in memory while loading. (Despite the name nothing is mapped: a file that shrinks meanwhile
    // is an error.)
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
    // Layers with keys and values of their own, as a KvSpec numbers them. Fewer than n_layers in hybrid
    // models and where later layers read the keys and values of earlier ones.
    int n_cache_layers = 0;
    int n_recurrent_layers = 0;       // layers with a state of fixed size; they may have keys and values too
    std::size_t recurrent_bytes = 0;  // of a sequence's states, all layers together
    int n_embd = 0;
    int n_heads = 0;
    int n_kv_heads = 0;  // the largest number in any layer
    int head_dim = 0;    // channels of a key; where layers differ, in layers without a window
    int latent_dim = 0;  // the first channels of a key that are also the value, stored once; 0: none
    int n_ff = 0;
    int n_vocab = 0;
    int context_length = 0;   // tokens the model was trained for, or reaches with RopeOptions
    int sliding_window = 0;   // 0: none
    int n_window_layers = 0;  // layers with a sliding window
};

// Bytes of the cache of one sequence. Everything stored is counted; total is what is allocated.
struct KvBytes {
    std::size_t key = 0;    // sealed keys: codes, scales, means
    std::size_t value = 0;  // sealed values: codes, scales
    std::size_t exact = 0;  // 16-bit keys and values of open pages and sinks, smoothing vectors, padding,
                            // and the states of recurrent layers
    std::size_t total() const { return key + value + exact; }
};

struct KvStats {
    KvBytes bytes;
    std::size_t recurrent = 0;         // the part of bytes.exact that is states of recurrent layers (f32)
    std::size_t f16_total = 0;         // what an f16 cache of the same tokens, pages and windows takes
    double key_bits_per_element = 16;  // of sealed pages: everything stored / elements
    double value_bits_per_element = 16;
    double key_share = 0.5;  // the share of elements that have the keys' width; latents have it too
    double bits_per_element() const {
        return key_share * key_bits_per_element + (1 - key_share) * value_bits_per_element;
    }
    double saved_pct() const {
        return f16_total ? 100.0 * (1.0 - double(bytes.total()) / double(f16_total)) : 0;
    }
};

class Model : public std::enable_shared_from_this<Model> {
  public:
    // Checks the file and prepares the weights. Throws Error.
    static std::shared_ptr<Model> load(const std::string& path, const ModelOptions& options = {});
    virtual ~Model() = default;

    virtual const ModelInfo& info() const = 0;
    virtual const ModelOptions& options() const = 0;
    // Threads that evaluate: options().threads or the default, fewer if the system could not start them all.
    virtual int threads() const = 0;

    // Splits a text that is to be continued or scored into tokens. add_bos puts the start token first if the
    // model uses one, unless the text begins with it. With parse_special, names of control tokens in the text
    // ("<|im_end|>") become those tokens. An end token is never appended, even if the file asks for one
    // (tokenizer.ggml.add_eos_token): after it the model would have nothing to continue.
    virtual std::vector<Token> tokenize(std::string_view text, bool add_bos, bool parse_special) const = 0;
    // The bytes of one token, perhaps a part of a character. Control tokens give "" unless render_special.
    virtual std::string token_bytes(Token token, bool render_special = false) const = 0;
    virtual bool is_end_of_generation(Token token) const = 0;

    // What a cache of n_tokens takes. Computed by the function that sizes real ones; nothing is allocated.
    virtual KvStats plan(const KvSpec& spec, int n_tokens) const = 0;
};

// One sequence of tokens and its cache.
class Session {
  public:
    // context: the most tokens this session can hold; 0: the model's context_length.
    // Throws Error(kInvalidArgument) if the spec names layers that the model lacks.
    static std::unique_ptr<Session> create(std::shared_ptr<Model> model, const KvSpec& spec, int context = 0);
    virtual ~Session() = default;

    virtual const KvSpec& spec() const = 0;
    virtual int context() const = 0;
    virtual int length() const = 0;  // tokens held

    // Appends tokens; logits() are then those after the last one. progress is called between batches with the
    // number of tokens done; returning false stops there and keeps what was done, and logits() are those
    // after it. It must not change the session. Returns the tokens done. Throws Error: kOutOfMemory if the
    // tokens exceed context(), kInvalidArgument for a token outside the vocabulary, both before anything
    // changes; kUnsupported if a key or value overflows the cache's 16 bits. After that or any other failure
    // (no memory for the cache) only length(), stats() and trim(0) work.
    using Progress = std::function<bool(int done)>;
    virtual int eval(std::span<const Token> tokens, const Progress& progress = {}) = 0;
    // (n_vocab), after the last token held. Valid until the next call that changes the session. Throws
    // Error(kInvalidArgument) if there are none: before the first eval(), after trim() has removed tokens,
    // and after a failed eval().
    virtual std::span<const float> logits() const = 0;

    // Forgets the tokens from position n >= 0 on. Returns the new length(), at most n: the position from
    // which evaluating again gives what a fresh run gives. All n tokens stay while the pages around n are
    // open or exact; fewer once they are sealed. Models with recurrent layers keep all tokens or none.
    virtual int trim(int n) = 0;
    void clear() { trim(0); }
    // A second session that continues from here. Sealed pages are shared; open pages and recurrent states are
    // copied.
    virtual std::unique_ptr<Session> fork() const = 0;

    virtual KvStats stats() const = 0;
};

}  // namespace kvsplit
