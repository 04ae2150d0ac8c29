#include "lab/perplexity.h"

#include <algorithm>

#include "base/error.h"
#include "engine/hidden.h"
#include "lab/measurement.h"

namespace kvsplit::lab {
namespace {

KvSpec f16_cache() { return KvSpec::parse("f16"); }
KvSpec f32_cache() { return KvSpec::parse("f32"); }

std::optional<std::size_t> index_of(const std::vector<KvSpec>& specs, const KvSpec& spec) {
    const auto at = std::find(specs.begin(), specs.end(), spec);
    if (at == specs.end()) return std::nullopt;
    return static_cast<std::size_t>(at - specs.begin());
}

void check(const Model& model, const PerplexityOptions& options) {
    const auto& specs = options.specs;
    if (specs.empty()) fail(ErrorCode::kInvalidArgument, "no cache precision to measure");
    if (options.context < 4) {
        fail(ErrorCode::kInvalidArgument, "context is {}: a chunk needs at least 4 tokens", options.context);
    }
    if (options.chunks < 0 || options.batch < 1) {
        fail(ErrorCode::kInvalidArgument, "chunks is {} and batch {}: they must be at least 0 and 1",
             options.chunks, options.batch);
    }
    for (std::size_t i = 0; i < specs.size(); ++i) {
        specs[i].validate();
        if (index_of(specs, specs[i]) != i) {
            fail(ErrorCode::kInvalidArgument, "cache precision {} is named twice", specs[i].name());
        }
    }
    for (const Model* m : {&model, static_cast<const Model*>(options.base.get())}) {
        if (!m || options.context <= m->info().context_length) continue;
        fail(ErrorCode::kInvalidArgument,
             "context is {}: {} was made for {} tokens and predicts nothing sensible beyond them. Give a "
             "smaller context",
             options.context, m->info().path, m->info().context_length);
    }
}

// Divergence needs the same tokens with the same meaning in both models.
void check_base(const Model& model, const Model& base, std::string_view text,
                const std::vector<Token>& tokens) {
    const ModelInfo &ours = model.info(), &theirs = base.info();
    const auto refuse = [&](const std::string& why) {
        fail(ErrorCode::kInvalidArgument, "{} cannot be the base of {}: {}", theirs.path, ours.path, why);
    };
    if (ours.n_vocab != theirs.n_vocab) {
        refuse(fmt::format("it has a vocabulary of {} tokens instead of {}", theirs.n_vocab, ours.n_vocab));
    }
    for (Token token = 0; token < ours.n_vocab; ++token) {
        if (model.token_bytes(token, true) != base.token_bytes(token, true)) {
            refuse(fmt::format("token {} has another text in its vocabulary", token));
        }
    }
    if (base.tokenize(text, true, false) != tokens) refuse("it cuts the text into other tokens");
}

// The text's whole chunks, with BOS in place.
std::vector<Token> cut_chunks(const Model& model, std::vector<Token> tokens,
                              const PerplexityOptions& options) {
    const auto context = static_cast<std::size_t>(options.context);
    const std::size_t available = tokens.size() / context;
    const auto wanted = static_cast<std::size_t>(std::max(options.chunks, 1));
    if (available < wanted) {
        fail(ErrorCode::kInvalidArgument,
             "the text has {} tokens: {} of {} tokens {} {}. Give a longer text{} or a smaller context",
             tokens.size(), wanted == 1 ? "one chunk" : fmt::format("{} chunks", wanted), context,
             wanted == 1 ? "needs" : "need", wanted * context, wanted == 1 ? "" : ", fewer chunks");
    }
    tokens.resize((options.chunks > 0 ? wanted : available) * context);
    const auto start = model.tokenize("", true, false);  // BOS alone, or nothing
    if (!start.empty()) {
        for (std::size_t i = 0; i < tokens.size(); i += context) tokens[i] = start[0];
    }
    return tokens;
}

// One cache of a model. The session is made once and cleared per chunk: its memory is reused.
class SessionLane final : public Lane {
  public:
    SessionLane(std::shared_ptr<Model> model, const KvSpec& spec, int context)
        : model_(std::move(model)), session_(Session::create(model_, spec, context)) {}

    std::string name() const override {
        return fmt::format("{} with a cache of {}", model_->info().path, session_->spec().name());
    }
    void restart() override { session_->clear(); }
    void read(std::span<const Token> tokens) override {
        hidden_.resize(tokens.size() * width());
        eval_hidden(*session_, tokens, hidden_);
    }
    void logits(int first, std::span<float> out) override {
        const std::size_t n = out.size() / static_cast<std::size_t>(model_->info().n_vocab);
        project_logits(
            *model_, std::span(hidden_).subspan(static_cast<std::size_t>(first) * width(), n * width()), out);
    }
    // For a whole chunk: counted, or planned while the cache holds only a part of it.
    KvStats stats() const {
        const bool whole = session_->length() == session_->context();
        return whole ? session_->stats() : model_->plan(session_->spec(), session_->context());
    }

  private:
    std::size_t width() const { return static_cast<std::size_t>(model_->info().n_embd); }

    std::shared_ptr<Model> model_;
    std::unique_ptr<Session> session_;
    std::vector<float> hidden_;  // (tokens of the last batch, n_embd)
};

// The caches that are read, in order: those asked for, the floor's unless it is one of them, the base's.
struct Lineup {
    std::vector<KvSpec> specs;
    std::optional<std::size_t> reference, floor, base;

    explicit Lineup(const PerplexityOptions& options) : specs(options.specs) {
        reference = index_of(specs, f16_cache());
        if (options.floor && reference) {
            floor = index_of(specs, f32_cache());
            if (!floor) floor = add(f32_cache());
        }
        if (options.base) base = add(f16_cache());
    }

  private:
    std::size_t add(const KvSpec& spec) {
        specs.push_back(spec);
        return specs.size() - 1;
    }
};

class PerplexityRun {
  public:
    PerplexityRun(const std::shared_ptr<Model>& model, const PerplexityOptions& options)
        : options_(options), lineup_(options) {
        for (std::size_t i = 0; i < lineup_.specs.size(); ++i) {
            lanes_.push_back(std::make_unique<SessionLane>(lineup_.base == i ? options.base : model,
                                                           lineup_.specs[i], options.context));
            plan_.lanes.push_back(lanes_.back().get());
        }
        plan_.reference = lineup_.reference;
        plan_.base = lineup_.base;
        plan_.n_vocab = model->info().n_vocab;
        plan_.context = options.context;
        plan_.batch = options.batch;
        plan_.threads = model->threads();
    }

    PerplexityReport run(std::span<const Token> chunks, const PerplexityCallback& callback) {
        PerplexityReport report = report_of(0, std::vector<LaneScores>(lanes_.size()));
        const auto scores = measure(plan_, chunks, [&](const MeasurementState& state) {
            chunks_done_ = state.chunks_done;
            if (!callback) return true;
            if (state.lanes.back().nll.count() != report.tokens_scored) {
                report = report_of(state.chunks_done, state.lanes);
            }
            report.chunks = state.chunks_done;
            return callback({state.chunks_done, state.chunks_total, state.fraction, report});
        });
        return report_of(chunks_done_, scores);
    }

  private:
    PerplexityReport report_of(int chunks, const std::vector<LaneScores>& scores) const {
        PerplexityReport out;
        out.chunks = chunks;
        out.tokens_scored = scores.back().nll.count();
        for (std::size_t i = 0; i < options_.specs.size(); ++i) out.results.push_back(result(i, scores));
        if (lineup_.floor) out.floor = result(*lineup_.floor, scores);
        if (lineup_.base) {
            out.base = result(*lineup_.base, scores);
            out.base->vs_f16.reset();
        }
        return out;
    }

    PerplexityResult result(std::size_t lane, const std::vector<LaneScores>& scores) const {
        const LaneScores& s = scores[lane];
        PerplexityResult out;
        out.spec = lineup_.specs[lane];
        out.nll = s.nll.mean();
        out.perplexity = perplexity(out.nll);
        out.vs_f16 = s.vs_reference.divergence();
        out.kv = lanes_[lane]->stats();
        out.vs_base = s.vs_base.divergence();
        const bool judged = lineup_.floor && lane != *lineup_.floor && lane != *lineup_.reference;
        if (judged && out.vs_f16) out.below_floor = s.vs_reference.below(scores[*lineup_.floor].vs_reference);
        return out;
    }

    const PerplexityOptions& options_;
    Lineup lineup_;
    std::vector<std::unique_ptr<SessionLane>> lanes_;
    MeasurementPlan plan_;
    int chunks_done_ = 0;
};

}  // namespace

PerplexityReport measure_perplexity(const std::shared_ptr<Model>& model, std::string_view text,
                                    const PerplexityOptions& options, const PerplexityCallback& callback) {
    check(*model, options);
    const auto tokens = model->tokenize(text, true, false);
    const auto chunks = cut_chunks(*model, tokens, options);
    if (options.base) check_base(*model, *options.base, text, tokens);
    return PerplexityRun(model, options).run(chunks, callback);
}

std::size_t measurement_cache_bytes(const Model& model, const PerplexityOptions& options) {
    const Lineup lineup(options);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < lineup.specs.size(); ++i) {
        const Model& m = lineup.base == i ? *options.base : model;
        bytes += m.plan(lineup.specs[i], options.context).bytes.total();
    }
    return bytes;
}

}  // namespace kvsplit::lab
