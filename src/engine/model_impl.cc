#include "engine/model_impl.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "model/kv_scales.h"
#include "model/random_fill.h"

namespace kvsplit {
namespace {

// Checks that the model has as many embeddings as its tokenizer has tokens; returns the description.
ModelDescription check_vocabulary(const gguf::File& file, const text::Tokenizer& tokenizer,
                                  ModelDescription description) {
    if (description.n_vocab != tokenizer.vocab_size()) {
        file.reject(file.tensor("token_embd.weight"),
                    fmt::format("has {} rows, but metadata 'tokenizer.ggml.tokens' has {} tokens",
                                description.n_vocab, tokenizer.vocab_size()));
    }
    return description;
}

// Sets a flag for a scope.
class Raised {
  public:
    explicit Raised(bool& flag) : flag_(flag) { flag_ = true; }
    ~Raised() { flag_ = false; }
    Raised(const Raised&) = delete;
    Raised& operator=(const Raised&) = delete;

  private:
    bool& flag_;
};

}  // namespace

ModelInfo make_info(const gguf::File& file, const ModelDescription& d) {
    ModelInfo info;
    info.path = file.raw_path();
    info.name = file.get_string_or("general.name", "");
    info.architecture = d.architecture;
    info.file_bytes = file.file_bytes();
    std::map<gguf::TensorType, std::size_t> bytes;
    for (const gguf::Tensor& t : file.tensors()) {
        info.n_parameters += static_cast<std::uint64_t>(t.elements());
        if (t.name.starts_with("blk.")) bytes[t.type] += t.bytes;
    }
    const auto most = std::max_element(bytes.begin(), bytes.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most != bytes.end()) info.weight_type = gguf::type_name(most->first);
    info.n_layers = d.n_layers;
    const CacheGeometry geometry = d.geometry();
    info.n_cache_layers = geometry.n_layers();
    info.n_recurrent_layers = geometry.recurrent.n_layers;
    info.recurrent_bytes = geometry.recurrent.bytes();
    info.n_embd = d.n_embd;
    info.n_heads = d.n_heads;
    info.n_kv_heads = d.n_kv_heads;
    info.head_dim = d.head_dim;
    info.latent_dim = d.latent.kv_rank;
    info.n_ff = d.n_ff;
    info.n_vocab = d.n_vocab;
    info.context_length = d.context_length;
    for (const CacheLayer& layer : geometry.layers) {
        if (layer.window == 0) continue;
        info.sliding_window = layer.window;
        info.n_window_layers += layer.n_readers;
    }
    return info;
}

ModelImpl::ModelImpl(const std::string& path, const ModelOptions& options)
    : options_(options),
      file_(path, options.mmap ? FileAccess::kOnDemand : FileAccess::kWhole),
      tokenizer_(text::Tokenizer::create(file_)),
      description_(check_vocabulary(file_, *tokenizer_, describe(file_, options.rope))),
      geometry_(description_.geometry()),
      backend_(make_cpu_backend({options.threads, options.activations()})),
      weights_(load_weights(file_, description_, *backend_)),
      info_(make_info(file_, description_)) {
    file_.require_unchanged();
    choose_kv_scales(*backend_, description_, weights_);
}

std::vector<Token> ModelImpl::tokenize(std::string_view text, bool add_bos, bool parse_special) const {
    return tokenizer_->encode(text, add_bos, parse_special);
}
std::string ModelImpl::token_bytes(Token token, bool render_special) const {
    return tokenizer_->token_bytes(token, render_special);
}
bool ModelImpl::is_end_of_generation(Token token) const { return tokenizer_->is_end_of_generation(token); }

KvStats ModelImpl::plan(const KvSpec& spec, int n_tokens) const {
    spec.validate();
    if (n_tokens < 0) fail(ErrorCode::kInvalidArgument, "a cache of {} tokens", n_tokens);
    return plan_cache(geometry_, spec, n_tokens);
}

template <typename F>
void ModelImpl::alone(F fn) const {
    const ProcessLock lock(mutex_);
    if (!lock) {
        fail(ErrorCode::kUnsupported,
             "{}: this process was forked while another thread evaluated with the model; load it again here",
             file_.path());
    }
    fn();
}

void ModelImpl::step(std::span<const Token> tokens, std::span<const SequenceRun> runs, float* hidden) const {
    alone([&] {
        const int n = static_cast<int>(tokens.size());
        if (!workspace_ || workspace_->max_tokens() < n) {
            workspace_.reset();
            workspace_ = std::make_unique<Workspace>(*backend_, description_,
                                                     n > 1 ? std::min(kBatch, std::max(n, 64)) : 1);
        }
        forward(*backend_, description_, weights_, *workspace_, tokens, runs, hidden);
    });
}

void ModelImpl::project(const float* hidden, int n, float* logits) const {
    alone([&] { kvsplit::project(*backend_, description_, weights_, hidden, n, logits); });
}

void ModelImpl::fill_randomly(KvCache& cache, int n_tokens, unsigned seed) const {
    alone([&] { kvsplit::fill_randomly(*backend_, description_, cache, n_tokens, seed); });
}

SessionImpl::SessionImpl(std::shared_ptr<const ModelImpl> model, const KvSpec& spec, int context)
    : model_(std::move(model)),
      context_(context > 0 ? context : model_->info().context_length),
      cache_(model_->geometry(), spec, model_->page_memory()) {
    const int limit = model_->description().n_positions;
    if (limit > 0 && context_ > limit) {
        fail(ErrorCode::kInvalidArgument, "a context of {} tokens: the model knows {} positions", context_,
             limit);
    }
}

SessionImpl::SessionImpl(const SessionImpl& other)
    : model_(other.model_),
      context_(other.context_),
      cache_(other.cache_.fork()),
      logits_(other.logits_),
      has_logits_(other.has_logits_) {}

void SessionImpl::check_room(std::size_t n_tokens) const {
    if (n_tokens > static_cast<std::size_t>(context_ - length())) {
        fail(ErrorCode::kOutOfMemory, "the context is full: {} + {} tokens do not fit into {}", length(),
             n_tokens, context_);
    }
}

void SessionImpl::check_whole() const {
    if (whole_) return;
    fail(ErrorCode::kInvalidArgument,
         "an evaluation failed half way: clear the session (trim to 0), then evaluate again");
}

void SessionImpl::check_idle() const {
    if (evaluating_)
        fail(ErrorCode::kInvalidArgument, "a progress callback cannot change the session that calls it");
}

void SessionImpl::check(std::span<const Token> tokens) const {
    check_whole();
    check_idle();
    check_room(tokens.size());
    for (Token token : tokens) {
        if (token < 0 || token >= model_->info().n_vocab) {
            fail(ErrorCode::kInvalidArgument, "token {} is outside the vocabulary of {}", token,
                 model_->info().n_vocab);
        }
    }
}

template <typename F>
void SessionImpl::change(F fn) {
    whole_ = has_logits_ = false;
    fn();
    whole_ = true;
}

void SessionImpl::step(std::span<const Token> tokens, float* hidden) {
    const SequenceRun run{&cache_, 0, static_cast<int>(tokens.size()), context_};
    change([&] { model_->step(tokens, {&run, 1}, hidden); });
}

int SessionImpl::eval(std::span<const Token> tokens, const Progress& progress) {
    check(tokens);
    const auto width = static_cast<std::size_t>(model_->info().n_embd);
    const Raised evaluating(evaluating_);
    std::size_t done = 0, last = 0;
    while (done < tokens.size()) {
        const std::size_t n = std::min<std::size_t>(tokens.size() - done, ModelImpl::kBatch);
        hidden_.resize(std::max(hidden_.size(), n * width));
        step(tokens.subspan(done, n), hidden_.data());
        done += n;
        last = n - 1;
        if (progress && !progress(static_cast<int>(done))) break;
    }
    if (done > 0) {
        logits_.resize(static_cast<std::size_t>(model_->info().n_vocab));
        model_->project(hidden_.data() + last * width, 1, logits_.data());
        has_logits_ = true;
    }
    return static_cast<int>(done);
}

void SessionImpl::eval_hidden(std::span<const Token> tokens, float* hidden) {
    check(tokens);
    const auto width = static_cast<std::size_t>(model_->info().n_embd);
    for (std::size_t done = 0; done < tokens.size(); done += ModelImpl::kBatch) {
        const std::size_t n = std::min<std::size_t>(tokens.size() - done, ModelImpl::kBatch);
        step(tokens.subspan(done, n), hidden + done * width);
    }
}

void SessionImpl::fill_randomly(int n, unsigned seed) {
    if (n < 0) fail(ErrorCode::kInvalidArgument, "cannot fill in {} tokens", n);
    check_room(static_cast<std::size_t>(n));
    change([&] { model_->fill_randomly(cache_, n, seed); });
}

std::span<const float> SessionImpl::logits() const {
    check_whole();
    if (!has_logits_) {
        fail(ErrorCode::kInvalidArgument, "there are no logits: {}",
             length() == 0 ? "nothing has been evaluated"
                           : "the session was cut, or an evaluation failed; evaluate a token first");
    }
    return logits_;
}

int SessionImpl::trim(int n) {
    if (n < 0) fail(ErrorCode::kInvalidArgument, "cannot keep {} tokens", n);
    if (n > 0) check_whole();
    check_idle();
    const int before = length();
    const bool had_logits = has_logits_;
    change([&] { cache_.trim(n); });
    has_logits_ = had_logits && length() == before;
    return length();
}

std::unique_ptr<Session> SessionImpl::fork() const {
    check_whole();
    return std::unique_ptr<Session>(new SessionImpl(*this));
}

}  // namespace kvsplit
