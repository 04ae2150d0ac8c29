#include "lab/compare.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>

#include "base/error.h"
#include "base/input_file.h"
#include "base/memory.h"
#include "engine/cache_probe.h"

namespace kvsplit::lab {
namespace {

// Caches evaluated together with f16. Larger groups evaluate f16 less often; smaller ones lose less when
// interrupted.
constexpr std::size_t kGroup = 4;
constexpr int kBatch = 512;

// Costs in tokens of prefill, to estimate the time left. Rough guesses suffice.
constexpr double kExactCost = 2, kLoadCost = 500;

const KvSpec& reference_of(const CompareSettings& settings) { return settings.specs.front(); }

// One run over the pieces that are still to be measured.
class Comparer {
  public:
    Comparer(CompareResults& results, std::string_view text, const CompareHooks& hooks)
        : results_(results), settings_(results.settings), text_(text), hooks_(hooks) {
        drop_unfinished();
        for (const auto& group : missing_groups()) total_ += quality_cost(group);
        for (const auto& spec : missing_memory()) total_ += memory_cost(spec);
        for (const int depth : missing_depths()) total_ += speed_cost(depth);
    }

    bool run() {
        const auto start = std::chrono::steady_clock::now();
        const double before = results_.seconds;
        const auto save = [&] {
            const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
            results_.seconds = before + time.count();
            hooks_.save(results_);
        };
        const auto all = [&](const auto& pieces, auto&& measure) {
            for (const auto& piece : pieces) {
                const bool whole = measure(piece);
                save();
                if (!whole) return false;
            }
            return true;
        };
        return all(missing_groups(), [&](const auto& group) { return measure_quality(group); }) &&
               all(missing_memory(), [&](const auto& spec) { return measure_memory(spec); }) &&
               all(missing_depths(), [&](int depth) { return measure_depth(depth); });
    }

  private:
    using Group = std::vector<KvSpec>;  // f16 first

    void drop_unfinished() {
        std::erase_if(results_.quality, [](const CompareQuality& q) { return !q.whole; });
        std::erase_if(results_.speed, [&](const SpeedResult& s) { return !is_done(s.depth); });
    }

    bool is_done(int depth) const {
        return std::find(results_.speed_done.begin(), results_.speed_done.end(), depth) !=
               results_.speed_done.end();
    }

    std::vector<Group> missing_groups() const {
        std::vector<Group> groups;
        for (const KvSpec& spec : settings_.specs) {
            if (spec == reference_of(settings_) || results_.quality_of(spec)) continue;
            if (groups.empty() || groups.back().size() > kGroup) groups.push_back({reference_of(settings_)});
            groups.back().push_back(spec);
        }
        return groups;
    }

    std::vector<KvSpec> missing_memory() const {
        std::vector<KvSpec> out;
        for (const KvSpec& spec : settings_.specs) {
            const auto& all = settings_.contexts;
            const bool whole = std::all_of(all.begin(), all.end(),
                                           [&](int context) { return results_.memory_of(spec, context); });
            if (!whole) out.push_back(spec);
        }
        return out;
    }

    std::vector<int> missing_depths() const {
        std::vector<int> out;
        for (const int depth : settings_.contexts) {
            if (!is_done(depth)) out.push_back(depth);
        }
        return out;
    }

    double quality_cost(const Group& group) const {
        return double(group.size()) * settings_.quality_chunks * settings_.quality_context *
               (settings_.exact ? kExactCost : 1);
    }
    double memory_cost(const KvSpec&) const {
        double cost = 0;
        for (const int context : settings_.contexts) cost += std::min(context, kBatch);
        return cost;
    }
    double speed_cost(int depth) const {
        const double test = settings_.prefill_tokens + kDecodeCost * settings_.decode_tokens;
        // At about 4,000 tokens attention costs as much as everything else.
        return double(settings_.specs.size()) * settings_.repeats * test * (1 + depth / 4000.0) + kLoadCost;
    }

    // part: the share done of the current piece, which costs `cost`.
    bool tell(double part, double cost, std::string_view doing) {
        return !hooks_.progress || hooks_.progress(std::min(1.0, (done_ + part * cost) / total_), doing);
    }

    const std::shared_ptr<Model>& model(bool exact) {
        if (!model_ || model_->options().exact != exact) {
            model_.reset();  // two models may not fit into memory
            model_ = hooks_.load(exact);
        }
        return model_;
    }

    bool measure_quality(const Group& group) {
        PerplexityOptions options;
        options.specs = group;
        options.context = settings_.quality_context;
        options.chunks = settings_.quality_chunks;
        options.batch = kBatch;
        options.floor = !settings_.exact && !results_.floor;
        const double cost = quality_cost(group);
        const auto doing = fmt::format("divergence of {} to {}", group[1].name(), group.back().name());
        const auto report =
            measure_perplexity(model(settings_.exact), text_, options,
                               [&](const PerplexityProgress& p) { return tell(p.fraction, cost, doing); });
        const bool whole = report.chunks == settings_.quality_chunks;
        for (const auto& result : report.results) {
            if (report.tokens_scored == 0 || results_.quality_of(result.spec)) continue;
            results_.quality.push_back({result, report.tokens_scored, whole});
        }
        if (whole && report.floor) results_.floor = report.floor->vs_f16;
        done_ += cost;
        return whole && tell(0, 0, doing);
    }

    // Measures one cache alone in the process, filled to each context in turn. The last tokens are evaluated,
    // so that the peak includes the working memory of a prompt.
    bool measure_memory(const KvSpec& spec) {
        // A model keeps the pages of its past sessions for the next ones, so each cache gets a new model.
        model_.reset();
        const auto& model = this->model(false);
        release_freed_memory();
        const bool peaks = reset_peak_rss();
        const auto session = Session::create(model, spec, settings_.contexts.back());
        const auto tokens = model->tokenize(text_.substr(0, 16 * kBatch), true, false);
        for (const int context : settings_.contexts) {
            const int to_evaluate =
                std::min({kBatch, context - session->length(), static_cast<int>(tokens.size())});
            fill_randomly(*session, context - session->length() - to_evaluate, 1);
            session->eval(std::span(tokens).first(static_cast<std::size_t>(to_evaluate)));
            if (results_.memory_of(spec, context)) continue;
            results_.memory.push_back({spec, context, session->stats(), peaks ? peak_rss() : 0});
        }
        done_ += memory_cost(spec);
        return tell(0, 0, fmt::format("memory of {}", spec.name()));
    }

    bool measure_depth(int depth) {
        SpeedOptions options;
        options.depths = {depth};
        options.prefill_tokens = settings_.prefill_tokens;
        options.decode_tokens = settings_.decode_tokens;
        options.repeats = settings_.repeats;
        options.fast_fill = true;
        const double cost = speed_cost(depth);
        const auto doing = fmt::format("speed at depth {}", depth);
        bool go_on = true;
        for (const auto& together : split_by_memory(depth)) {
            options.specs = together;
            options.read_memory = results_.read_gb_per_s == 0;
            const double share = cost * double(together.size()) / double(settings_.specs.size());
            const auto report = measure_speed(
                model(false), options,
                [&](double fraction, const SpeedReport&) { return go_on = tell(fraction, share, doing); });
            results_.speed.insert(results_.speed.end(), report.results.begin(), report.results.end());
            if (options.read_memory) results_.read_gb_per_s = report.read_gb_per_s;
            done_ += share;
            if (!go_on) return false;
        }
        results_.speed_done.push_back(depth);
        return true;
    }

    // Caches that take turns are in memory together: all of them, unless that takes more than half of the
    // free memory.
    std::vector<std::vector<KvSpec>> split_by_memory(int depth) {
        const std::size_t available = available_memory();
        const int tokens = depth + std::max(settings_.prefill_tokens, settings_.decode_tokens);
        std::vector<std::vector<KvSpec>> out;
        std::size_t taken = 0;
        for (const KvSpec& spec : settings_.specs) {
            const std::size_t bytes = model(false)->plan(spec, tokens).bytes.total();
            const bool full = available > 0 && taken + bytes > available / 2;
            if (out.empty() || full) {
                out.emplace_back();
                taken = 0;
            }
            out.back().push_back(spec);
            taken += bytes;
        }
        return out;
    }

    CompareResults& results_;
    const CompareSettings& settings_;
    std::string_view text_;
    const CompareHooks& hooks_;
    std::shared_ptr<Model> model_;
    double done_ = 0, total_ = 0;  // in tokens of prefill
};

// FNV-1a
class Hash {
  public:
    template <typename Byte>
    void add(std::span<const Byte> bytes) {
        for (const Byte b : bytes) value_ = (value_ ^ static_cast<unsigned char>(b)) * 0x100000001b3u;
    }
    std::string text() const { return fmt::format("{:016x}", value_); }

  private:
    std::uint64_t value_ = 0xcbf29ce484222325u;
};

// Speed tests run after the deepest context. Most models can go beyond their context length, at the same
// cost; those with learned positions cannot. Returns the deepest context.
int fit_tests(CompareResults& results, const Model& model) {
    const int most = model.info().context_length, positions = known_positions(model);
    if (positions == 0) return most;
    auto& settings = results.settings;
    const int longest = std::max(1, positions / 2);
    for (int* tokens : {&settings.prefill_tokens, &settings.decode_tokens}) {
        if (*tokens <= longest) continue;
        results.notes.push_back(
            fmt::format("the speed is measured with {} tokens instead of {}: the model knows {} positions",
                        longest, *tokens, positions));
        *tokens = longest;
    }
    return std::min(most, std::max(1, positions - std::max(settings.prefill_tokens, settings.decode_tokens)));
}

void fit_contexts(CompareResults& results, int most, int deepest) {
    auto& settings = results.settings;
    std::vector<int> fitting;
    std::sort(settings.contexts.begin(), settings.contexts.end());
    for (const int context : settings.contexts) {
        if (context <= deepest) {
            if (fitting.empty() || fitting.back() != context) fitting.push_back(context);
        } else if (context > most) {
            results.notes.push_back(
                fmt::format("{} tokens are left out: the model was made for {}", context, most));
        } else {
            results.notes.push_back(
                fmt::format("{} tokens are left out: the tests after them do not fit", context));
        }
    }
    if (fitting.empty()) fitting.push_back(deepest);
    settings.contexts = std::move(fitting);
    if (settings.quality_context > most) {
        results.notes.push_back(
            fmt::format("the divergence is measured with chunks of {} tokens instead of {}: the "
                        "model was made for no more",
                        most, settings.quality_context));
        settings.quality_context = most;
    }
}

void fit_specs(CompareResults& results, const Model& model) {
    std::vector<KvSpec> specs{KvSpec::parse("f16")};
    for (const KvSpec& spec : results.settings.specs) {
        if (std::find(specs.begin(), specs.end(), spec) != specs.end()) continue;
        model.plan(spec, 1);  // throws where it names layers that there are not
        specs.push_back(spec);
    }
    if (specs.size() == 1) {
        fail(ErrorCode::kInvalidArgument, "no cache precision to compare with f16");
    }
    results.settings.specs = std::move(specs);
}

void fit_chunks(CompareResults& results, const Model& model, std::string_view text) {
    auto& settings = results.settings;
    const auto tokens = static_cast<int>(model.tokenize(text, true, false).size());
    constexpr int kLeast = 4;  // tokens of a chunk
    if (tokens < kLeast) {
        fail(ErrorCode::kInvalidArgument, "the text has {} tokens: a chunk needs at least {}", tokens,
             kLeast);
    }
    if (tokens < settings.quality_context) {
        results.notes.push_back(fmt::format(
            "the divergence is measured with a chunk of {} tokens instead of {}: the text has no more",
            tokens, settings.quality_context));
        settings.quality_context = tokens;
    }
    const int chunks = tokens / settings.quality_context;
    if (chunks >= settings.quality_chunks) return;
    results.notes.push_back(fmt::format("the text has {} tokens: {} of {} chunks of {} tokens are measured",
                                        tokens, chunks, settings.quality_chunks, settings.quality_context));
    settings.quality_chunks = chunks;
}

}  // namespace

std::string_view compare_precisions(CompareEffort effort) {
    switch (effort) {
        case CompareEffort::kQuick:
            return "f16,k8v8,k6v6,k8v4,k4v8,k5v4,k4v4";
        case CompareEffort::kNormal:
            return "f16,k8v8,k8v6,k6v6,k8v4,k4v8,k6v4,k4v6,k5v4,k4v4,k4v3,k3v4,k3v3";
        case CompareEffort::kFull:
            break;
    }
    return "f16,k8v8,k8v6,k6v8,k6v6,k8v4,k4v8,k6v5,k5v6,k6v4,k4v6,k5v5,k5v4,k4v5,k4v4,k5v3,k3v5,k4v3,k3v4,"
           "k3v3,"
           "k4v2,k2v4,k2v2";
}

CompareSettings compare_settings(CompareEffort effort) {
    CompareSettings s;
    s.prefill_tokens = 512;
    s.decode_tokens = 64;
    switch (effort) {
        case CompareEffort::kQuick:
            s.quality_context = 2048;
            s.quality_chunks = 2;
            s.contexts = {128, 2048};
            s.repeats = 1;
            break;
        case CompareEffort::kNormal:
            s.quality_context = 2048;
            s.quality_chunks = 4;
            s.contexts = {128, 2048, 8192};
            s.repeats = 2;
            break;
        case CompareEffort::kFull:
            s.quality_context = 2048;
            s.quality_chunks = 16;
            s.contexts = {128, 2048, 4096, 8192};
            s.repeats = 3;
            break;
    }
    return s;
}

void fit_settings(CompareResults& results, const Model& model, std::string_view text) {
    const auto& s = results.settings;
    if (s.contexts.empty() || *std::min_element(s.contexts.begin(), s.contexts.end()) < 1) {
        fail(ErrorCode::kInvalidArgument, "a context must have at least one token");
    }
    const int deepest = fit_tests(results, model);
    fit_contexts(results, model.info().context_length, deepest);
    fit_specs(results, model);
    fit_chunks(results, model, text);
}

bool run_compare(CompareResults& results, std::string_view text, const CompareHooks& hooks) {
    return Comparer(results, text, hooks).run();
}

std::string hash_text(std::string_view text) {
    Hash hash;
    hash.add(std::span(text));
    return hash.text();
}

std::string hash_file(const std::string& path) {
    constexpr std::size_t kPart = 1 << 20;
    const InputFile file(path);
    std::vector<std::uint8_t> scratch;
    Hash hash;
    const std::size_t size = file.size(), part = std::min(kPart, size);
    hash.add(std::span(reinterpret_cast<const char*>(&size), sizeof size));
    hash.add(std::span(file.read(0, part, scratch), part));
    hash.add(std::span(file.read(size - part, part, scratch), part));
    return hash.text();
}

}  // namespace kvsplit::lab
