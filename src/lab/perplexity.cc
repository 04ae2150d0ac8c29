#include "lab/perplexity.h"

#include <algorithm>
#include <cmath>

#include "base/cpu_features.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "engine/hidden.h"
#include "lab/row_scores.h"

namespace kvsplit::lab {
namespace {

const KvSpec kReference{16, 16};

// Rows of logits held at a time, per cache: two caches' worth stay within 2 x 64 MiB, and a projection of 16
// rows or more reads the output matrix once for all of them.
int rows_per_block(int n_vocab) {
    constexpr std::size_t kBytes = std::size_t{64} << 20;
    const auto rows = kBytes / (sizeof(float) * static_cast<std::size_t>(n_vocab));
    return static_cast<int>(std::clamp<std::size_t>(rows, 16, 256));
}

void check(const PerplexityOptions& options) {
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
        if (std::find(specs.begin(), specs.begin() + static_cast<std::ptrdiff_t>(i), specs[i]) !=
            specs.begin() + static_cast<std::ptrdiff_t>(i)) {
            fail(ErrorCode::kInvalidArgument, "cache precision {} is named twice", specs[i].name());
        }
    }
}

// One measurement under way. Variants are in the order of the options; the reference, if any, is evaluated
// and projected like the others, only first.
class Measurement {
  public:
    Measurement(const Evaluator& evaluator, std::span<const Token> chunks, const PerplexityOptions& options,
                int threads, const PerplexityCallback& callback)
        : evaluator_(evaluator),
          chunks_(chunks),
          options_(options),
          callback_(callback),
          pool_(threads),
          context_(options.context),
          first_(options.context / 2),
          n_chunks_(static_cast<int>(chunks.size()) / options.context),
          block_(std::min(rows_per_block(evaluator.n_vocab), scored())),
          comparisons_(options.specs.size()),
          kv_(options.specs.size()),
          hidden_(options.specs.size()) {
        const auto& specs = options.specs;
        const auto reference = std::find(specs.begin(), specs.end(), kReference);
        if (reference != specs.end()) reference_ = static_cast<std::size_t>(reference - specs.begin());
        const auto states = static_cast<std::size_t>(context_ - first_);
        for (auto& h : hidden_) h.resize(states * static_cast<std::size_t>(evaluator.n_embd));
        const auto logits = static_cast<std::size_t>(block_) * static_cast<std::size_t>(evaluator.n_vocab);
        logits_.resize(logits);
        if (reference_) reference_logits_.resize(logits);
        rows_.resize(static_cast<std::size_t>(block_));
    }

    PerplexityReport run() {
        for (int chunk = 0; chunk < n_chunks_; ++chunk) {
            if (!evaluate(chunk) || !score(chunk)) break;
            ++done_;
            if (!tell(done_)) break;
        }
        return report();
    }

  private:
    struct Row {
        RowScore reference, score;
        double kld = 0;
    };

    int scored() const { return context_ - 1 - first_; }

    // Evaluating the tokens is about half of the work, the projections and statistics the other.
    bool tell(double chunks) {
        if (!callback_) return true;
        const auto now = report();
        return callback_({done_, n_chunks_, chunks / n_chunks_, now});
    }

    bool evaluate(int chunk) {
        const auto n = static_cast<std::size_t>(context_);
        const auto tokens = chunks_.subspan(static_cast<std::size_t>(chunk) * n, n);
        const auto variants = hidden_.size();
        for (std::size_t v = 0; v < variants; ++v) {
            const auto step = [&](int done) {
                const double part = (static_cast<double>(v) + double(done) / context_) / double(variants);
                return tell(chunk + part / 2);
            };
            if (!evaluator_.evaluate(v, tokens, first_, hidden_[v], step)) return false;
            kv_[v] = evaluator_.kv_stats(v);
        }
        return true;
    }

    bool score(int chunk) {
        for (int row = 0; row < scored(); row += block_) {
            const int n = std::min(block_, scored() - row);
            const auto targets =
                chunks_.subspan(static_cast<std::size_t>(chunk) * static_cast<std::size_t>(context_) +
                                    static_cast<std::size_t>(first_ + row + 1),
                                static_cast<std::size_t>(n));
            score_block(row, targets);
            if (!tell(chunk + 0.5 + 0.5 * (row + n) / scored())) return false;
        }
        return true;
    }

    void score_block(int row, std::span<const Token> targets) {
        if (reference_) {
            project(*reference_, row, targets, reference_logits_);
            for_each_row(targets, [&](int i, Token target) {
                rows_[static_cast<std::size_t>(i)].reference =
                    score_row(logits_row(reference_logits_, i), target);
            });
        }
        for (std::size_t v = 0; v < hidden_.size(); ++v) {
            const bool is_reference = reference_ == v;
            if (!is_reference) project(v, row, targets, logits_);
            for_each_row(targets, [&](int i, Token target) {
                Row& r = rows_[static_cast<std::size_t>(i)];
                r.score = is_reference ? r.reference : score_row(logits_row(logits_, i), target);
                if (!reference_) return;
                r.kld = is_reference ? 0
                                     : divergence(logits_row(reference_logits_, i), r.reference,
                                                  logits_row(logits_, i), r.score);
            });
            for (std::size_t i = 0; i < targets.size(); ++i) add(v, rows_[i]);
        }
    }

    void add(std::size_t variant, const Row& row) {
        if (!reference_) return comparisons_[variant].add({row.score.nll});
        TokenDifference difference;
        difference.kld = row.kld;
        difference.nll_change = row.score.nll - row.reference.nll;
        difference.p_change = std::exp(-row.score.nll) - std::exp(-row.reference.nll);
        difference.same_top = row.score.top == row.reference.top;
        comparisons_[variant].add({row.score.nll}, difference);
    }

    void project(std::size_t variant, int row, std::span<const Token> targets, std::vector<float>& logits) {
        const auto width = static_cast<std::size_t>(evaluator_.n_embd);
        const auto states = std::span<const float>(hidden_[variant])
                                .subspan(static_cast<std::size_t>(row) * width, targets.size() * width);
        const auto n = targets.size() * static_cast<std::size_t>(evaluator_.n_vocab);
        evaluator_.project(states, std::span(logits).first(n));
    }

    std::span<const float> logits_row(const std::vector<float>& logits, int i) const {
        const auto n = static_cast<std::size_t>(evaluator_.n_vocab);
        return std::span(logits).subspan(static_cast<std::size_t>(i) * n, n);
    }

    template <typename F>
    void for_each_row(std::span<const Token> targets, F&& fn) {
        pool_.for_each(static_cast<int>(targets.size()),
                       [&](int i) { fn(i, targets[static_cast<std::size_t>(i)]); });
    }

    PerplexityReport report() const {
        PerplexityReport out;
        out.chunks = done_;
        out.tokens_scored = comparisons_.front().count();
        for (std::size_t v = 0; v < comparisons_.size(); ++v) {
            const Comparison& c = comparisons_[v];
            out.results.push_back({options_.specs[v], c.nll(), c.perplexity(), c.divergence(), kv_[v]});
        }
        return out;
    }

    const Evaluator& evaluator_;
    std::span<const Token> chunks_;
    const PerplexityOptions& options_;
    const PerplexityCallback& callback_;
    ThreadPool pool_;
    int context_, first_, n_chunks_, block_;
    int done_ = 0;
    std::optional<std::size_t> reference_;
    std::vector<Comparison> comparisons_;           // per variant
    std::vector<KvStats> kv_;                       // per variant
    std::vector<std::vector<float>> hidden_;        // per variant: (context - first, n_embd)
    std::vector<float> logits_, reference_logits_;  // (block, n_vocab)
    std::vector<Row> rows_;                         // (block)
};

// The text's whole chunks, with BOS in place.
std::vector<Token> cut_chunks(const Model& model, std::string_view text, const PerplexityOptions& options) {
    auto tokens = model.tokenize(text, true, false);
    const auto context = static_cast<std::size_t>(options.context);
    const std::size_t available = tokens.size() / context;
    const auto wanted = static_cast<std::size_t>(std::max(options.chunks, 1));
    if (available < wanted) {
        fail(ErrorCode::kInvalidArgument,
             "the text has {} tokens: {} {} of {} tokens need {}. Give a longer text, fewer chunks or a "
             "smaller "
             "context",
             tokens.size(), wanted, wanted == 1 ? "chunk" : "chunks", context, wanted * context);
    }
    tokens.resize((options.chunks > 0 ? wanted : available) * context);
    const auto start = model.tokenize("", true, false);  // BOS alone, or nothing
    if (!start.empty()) {
        for (std::size_t i = 0; i < tokens.size(); i += context) tokens[i] = start[0];
    }
    return tokens;
}

// Sessions are made once and cleared per chunk: their memory is reused.
class SessionEvaluator {
  public:
    SessionEvaluator(const std::shared_ptr<Model>& model, const PerplexityOptions& options)
        : batch_(static_cast<std::size_t>(options.batch)),
          n_embd_(static_cast<std::size_t>(model->info().n_embd)) {
        for (const KvSpec& spec : options.specs) {
            sessions_.push_back(Session::create(model, spec, options.context));
        }
    }

    bool evaluate(std::size_t variant, std::span<const Token> chunk, int first, std::span<float> hidden,
                  const std::function<bool(int)>& step) {
        Session& session = *sessions_[variant];
        session.clear();
        const auto begin = static_cast<std::size_t>(first);
        for (std::size_t at = 0; at < chunk.size();) {
            const std::size_t end = at < begin ? begin : chunk.size();
            const std::size_t n = std::min(batch_, end - at);
            if (at < begin) {
                session.eval(chunk.subspan(at, n));
            } else {
                eval_hidden(session, chunk.subspan(at, n),
                            hidden.subspan((at - begin) * n_embd_, n * n_embd_));
            }
            at += n;
            if (!step(static_cast<int>(at))) return false;
        }
        return true;
    }

    KvStats stats(std::size_t variant) const { return sessions_[variant]->stats(); }

  private:
    std::size_t batch_, n_embd_;
    std::vector<std::unique_ptr<Session>> sessions_;
};

}  // namespace

PerplexityReport measure_chunks(const Evaluator& evaluator, std::span<const Token> chunks,
                                const PerplexityOptions& options, int threads,
                                const PerplexityCallback& callback) {
    check(options);
    return Measurement(evaluator, chunks, options, threads, callback).run();
}

PerplexityReport measure_perplexity(const std::shared_ptr<Model>& model, std::string_view text,
                                    const PerplexityOptions& options, const PerplexityCallback& callback) {
    check(options);
    const auto chunks = cut_chunks(*model, text, options);
    SessionEvaluator sessions(model, options);
    Evaluator evaluator;
    evaluator.n_embd = model->info().n_embd;
    evaluator.n_vocab = model->info().n_vocab;
    evaluator.evaluate = [&](std::size_t variant, std::span<const Token> chunk, int first,
                             std::span<float> hidden, const std::function<bool(int)>& step) {
        return sessions.evaluate(variant, chunk, first, hidden, step);
    };
    evaluator.project = [&](std::span<const float> hidden, std::span<float> logits) {
        project_logits(*model, hidden, logits);
    };
    evaluator.kv_stats = [&](std::size_t variant) { return sessions.stats(variant); };
    const int threads = model->options().threads > 0 ? model->options().threads : physical_cores();
    return measure_chunks(evaluator, chunks, options, threads, callback);
}

}  // namespace kvsplit::lab
