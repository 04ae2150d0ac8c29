// Implements kvsplit/model.h: a loaded model, and sessions on it.
#pragma once

#include <memory>
#include <vector>

#include "base/process.h"
#include "kvsplit/model.h"
#include "model/forward.h"
#include "text/tokenizer.h"

namespace kvsplit {

// Describes the model from the file's metadata; does not read weights.
ModelInfo make_info(const gguf::File& file, const ModelDescription& description);

class ModelImpl final : public Model {
  public:
    ModelImpl(const std::string& path, const ModelOptions& options);

    const ModelInfo& info() const override { return info_; }
    const ModelOptions& options() const override { return options_; }
    int threads() const override { return backend_->threads(); }
    std::vector<Token> tokenize(std::string_view text, bool add_bos, bool parse_special) const override;
    std::string token_bytes(Token token, bool render_special) const override;
    bool is_end_of_generation(Token token) const override;
    KvStats plan(const KvSpec& spec, int n_tokens) const override;

    const gguf::File& file() const { return file_; }
    const text::Tokenizer& tokenizer() const { return *tokenizer_; }
    const ModelDescription& description() const { return description_; }
    const CacheGeometry& geometry() const { return geometry_; }
    PageMemory page_memory() const { return backend_->page_memory(); }

    static constexpr int kBatch = 512;  // most tokens per forward pass

    // One forward pass of at most kBatch tokens. hidden: (tokens.size(), n_embd). Thread-safe.
    void step(std::span<const Token> tokens, std::span<const SequenceRun> runs, float* hidden) const;
    // logits (n, n_vocab) of hidden states (n, n_embd). Thread-safe.
    void project(const float* hidden, int n, float* logits) const;
    // Appends n_tokens random keys and values in place of evaluated ones. Thread-safe.
    void fill_randomly(KvCache& cache, int n_tokens, unsigned seed) const;

  private:
    // Calls fn with exclusive use of the backend and the workspace.
    template <typename F>
    void alone(F fn) const;

    ModelOptions options_;
    gguf::File file_;
    std::unique_ptr<text::Tokenizer> tokenizer_;
    ModelDescription description_;
    CacheGeometry geometry_;
    std::unique_ptr<Backend> backend_;
    Weights weights_;
    ModelInfo info_;
    mutable ProcessMutex mutex_;  // of the backend and the workspace
    mutable std::unique_ptr<Workspace> workspace_;
};

class SessionImpl final : public Session {
  public:
    SessionImpl(std::shared_ptr<const ModelImpl> model, const KvSpec& spec, int context);

    const KvSpec& spec() const override { return cache_.spec(); }
    int context() const override { return context_; }
    int length() const override { return cache_.length(); }
    int eval(std::span<const Token> tokens, const Progress& progress) override;
    std::span<const float> logits() const override;
    int trim(int n) override;
    std::unique_ptr<Session> fork() const override;
    KvStats stats() const override { return cache_.stats(); }

    // As eval(), without logits; writes the hidden states (tokens.size(), n_embd).
    void eval_hidden(std::span<const Token> tokens, float* hidden);
    void fill_randomly(int n, unsigned seed);
    const KvCache& cache() const { return cache_; }

  private:
    SessionImpl(const SessionImpl& other);
    void check(std::span<const Token> tokens) const;
    void check_room(std::size_t n_tokens) const;
    void check_whole() const;
    void check_idle() const;
    void step(std::span<const Token> tokens, float* hidden);
    // Calls fn, which changes the cache. When it throws, the cache may be left half changed.
    template <typename F>
    void change(F fn);

    std::shared_ptr<const ModelImpl> model_;
    int context_;
    KvCache cache_;
    std::vector<float> hidden_;  // (kBatch, n_embd)
    std::vector<float> logits_;  // (n_vocab)
    bool has_logits_ = false;    // logits_ are those of the last token held
    bool whole_ = true;          // false: a step failed halfway, and the layers disagree
    bool evaluating_ = false;    // inside eval()
};

}  // namespace kvsplit
