#include "lab/speed.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <span>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "engine/cache_probe.h"
#include "lab/read_bandwidth.h"

namespace kvsplit::lab {
namespace {

constexpr unsigned kSeed = 1;

void check(const SpeedOptions& options) {
    if (options.specs.empty()) fail(ErrorCode::kInvalidArgument, "no cache precision to measure");
    if (options.depths.empty()) fail(ErrorCode::kInvalidArgument, "no depth to measure at");
    for (const KvSpec& spec : options.specs) spec.validate();
    constexpr int kMost = 1 << 24;  // sums of a few stay far from overflow
    for (int depth : options.depths) {
        if (depth < 0 || depth > kMost) fail(ErrorCode::kInvalidArgument, "a depth of {} tokens", depth);
    }
    const int prefill = options.prefill_tokens, decode = options.decode_tokens;
    if (std::min(prefill, decode) < 0 || std::max(prefill, decode) > kMost || prefill + decode == 0) {
        fail(ErrorCode::kInvalidArgument, "{} tokens of prefill and {} of decoding: nothing to measure",
             prefill, decode);
    }
    if (options.repeats < 1) fail(ErrorCode::kInvalidArgument, "{} repeats: at least 1", options.repeats);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double standard_deviation(const std::vector<double>& values) {
    if (values.size() < 2) return 0;
    double mean = 0, squares = 0;
    for (double v : values) mean += v / static_cast<double>(values.size());
    for (double v : values) squares += (v - mean) * (v - mean);
    return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

// How to return to where a repeat began. A 16-bit cache without windows or recurrent states is trimmed. Other
// caches are forked, which shares all but the open pages; a fork of a 16-bit cache would copy all of it.
bool goes_back_by_trim(const Model& model, const KvSpec& spec) {
    const ModelInfo& info = model.info();
    return spec == KvSpec::parse("f16") && info.n_window_layers == 0 && info.n_recurrent_layers == 0;
}

class SpeedMeasurement {
  public:
    SpeedMeasurement(const std::shared_ptr<Model>& model, const SpeedOptions& options,
                     const SpeedCallback& callback)
        : model_(model), options_(options), callback_(callback) {
        std::sort(options_.depths.begin(), options_.depths.end());
        const auto last = std::unique(options_.depths.begin(), options_.depths.end());
        options_.depths.erase(last, options_.depths.end());
        const int longest = std::max(options.prefill_tokens, options.decode_tokens);
        const int context = options_.depths.back() + longest;
        for (const KvSpec& spec : options.specs) {
            sessions_.push_back(Session::create(model, spec, context));
            for (int depth : options_.depths) add_slots(spec, depth);
        }
        draw_tokens(context);
        total_ = work_of_all();
    }

    SpeedReport run() {
        if (options_.read_memory) measure_memory();
        measure();
        collect();
        return report_;
    }

  private:
    using Test = SpeedResult::Test;
    using Clock = std::chrono::steady_clock;

    void add_slots(const KvSpec& spec, int depth) {
        for (const auto& [test, tokens] : {std::pair{Test::kPrefill, options_.prefill_tokens},
                                           std::pair{Test::kDecode, options_.decode_tokens}}) {
            SpeedResult slot;
            slot.spec = spec;
            slot.test = test;
            slot.tokens = tokens;
            slot.depth = depth;
            slots_.push_back(slot);
        }
    }

    // The tokens do not matter for speed; every cache gets the same ones.
    void draw_tokens(int n) {
        std::minstd_rand random(kSeed);
        const auto start = model_->tokenize("", true, false);  // BOS alone, or nothing
        for (int i = 0; i < n; ++i) {
            tokens_.push_back(static_cast<Token>(random() % static_cast<unsigned>(model_->info().n_vocab)));
        }
        if (!start.empty()) tokens_[0] = start[0];
    }

    double fill_work(int tokens) const { return options_.fast_fill ? tokens / 20.0 : tokens; }
    double test_work() const { return options_.prefill_tokens + kDecodeCost * options_.decode_tokens; }
    double work_of_all() const {
        const auto n_tests = static_cast<double>(options_.depths.size()) * options_.repeats;
        return static_cast<double>(sessions_.size()) *
                   (fill_work(options_.depths.back()) + n_tests * test_work()) +
               test_work();
    }

    // now: work done since the last whole piece. False: stop.
    bool tell(double now) { return !callback_ || callback_(std::min(1.0, (done_ + now) / total_), report_); }

    // Runs first and resets the peak, so that the buffer does not count as memory of the caches.
    void measure_memory() {
        const std::size_t peak_before = peak_rss();
        report_.read_gb_per_s = measure_read_bandwidth(model_->threads());
        peak_before_ = reset_peak_rss() ? peak_before : 0;
    }

    void measure() {
        for (std::size_t d = 0; d < options_.depths.size(); ++d) {
            for (auto& session : sessions_) {
                if (!fill(*session, options_.depths[d])) return;
            }
            if (d == 0 && !warm_up()) return;
            for (int repeat = 0; repeat < options_.repeats; ++repeat) {
                for (std::size_t s = 0; s < sessions_.size(); ++s) {
                    if (!measure(s, d)) return;
                }
            }
        }
    }

    bool fill(Session& session, int depth) {
        const int n = depth - session.length();
        if (options_.fast_fill) {
            constexpr int kPiece = 8192;  // tokens between two calls of the callback
            while (session.length() < depth) {
                if (!tell(0)) return false;
                const int piece = std::min(kPiece, depth - session.length());
                kvsplit::fill_randomly(session, piece, kSeed + static_cast<unsigned>(session.length()));
                done_ += fill_work(piece);
            }
            return true;
        }
        bool go_on = true;
        session.eval(next_tokens(session, n), [&](int done) { return go_on = tell(done); });
        done_ += n;
        return go_on;
    }

    std::span<const Token> next_tokens(const Session& session, int n) const {
        return std::span(tokens_).subspan(static_cast<std::size_t>(session.length()),
                                          static_cast<std::size_t>(n));
    }

    // The first run touches memory for the first time, so it is not counted.
    bool warm_up() {
        SpeedResult prefill = slots_[0], decode = slots_[1];
        return run_test(*sessions_[0], prefill) && run_test(*sessions_[0], decode);
    }

    bool measure(std::size_t s, std::size_t d) {
        const std::size_t at = 2 * (s * options_.depths.size() + d);
        for (SpeedResult* slot : {&slots_[at], &slots_[at + 1]}) {
            if (!run_test(*sessions_[s], *slot)) return false;
            collect();
        }
        return true;
    }

    bool run_test(Session& base, SpeedResult& slot) {
        if (slot.tokens == 0) return true;
        const bool trims = goes_back_by_trim(*model_, slot.spec);
        const auto fork = trims ? nullptr : base.fork();
        Session& session = trims ? base : *fork;
        const bool whole = slot.test == Test::kPrefill ? prefill(session, slot) : decode(session, slot);
        slot.kv = session.stats();
        KVSPLIT_CHECK(!trims || base.trim(slot.depth) == slot.depth);
        return whole;
    }

    bool prefill(Session& session, SpeedResult& slot) {
        bool go_on = true;
        const auto start = Clock::now();
        session.eval(next_tokens(session, slot.tokens), [&](int done) { return go_on = tell(done); });
        if (session.length() == slot.depth + slot.tokens) add_sample(slot, start);
        done_ += slot.tokens;
        return go_on;
    }

    bool decode(Session& session, SpeedResult& slot) {
        std::size_t first_read = 0;
        const auto start = Clock::now();
        for (int i = 0; i < slot.tokens; ++i) {
            session.eval(next_tokens(session, 1));
            if (i == 0) first_read = kv_bytes_read(session);
            if (!tell(kDecodeCost * (i + 1))) return false;
        }
        add_sample(slot, start);
        // A page is sealed every 64 tokens; in between the bytes grow evenly.
        slot.kv_bytes_per_token = static_cast<double>(first_read + kv_bytes_read(session)) / 2;
        done_ += kDecodeCost * slot.tokens;
        return true;
    }

    static void add_sample(SpeedResult& slot, Clock::time_point start) {
        const std::chrono::duration<double> time = Clock::now() - start;
        slot.samples.push_back(slot.tokens / time.count());
    }

    void collect() {
        report_.results.clear();
        report_.peak_rss = std::max(peak_before_, peak_rss());
        for (SpeedResult slot : slots_) {
            if (slot.samples.empty()) continue;
            slot.tokens_per_s = median(slot.samples);
            slot.stddev = standard_deviation(slot.samples);
            slot.kv_gb_per_s = slot.kv_bytes_per_token * slot.tokens_per_s / 1e9;
            report_.results.push_back(std::move(slot));
        }
    }

    std::shared_ptr<Model> model_;
    SpeedOptions options_;  // depths sorted, each once
    const SpeedCallback& callback_;
    std::vector<std::unique_ptr<Session>> sessions_;  // per spec, filled to the depth that is measured
    std::vector<Token> tokens_;                       // (deepest + longest test)
    std::vector<SpeedResult> slots_;                  // (specs, depths, 2 tests)
    SpeedReport report_;
    std::size_t peak_before_ = 0;  // bytes, before the mark was reset
    double done_ = 0, total_ = 0;  // work, in tokens of prefill
};

}  // namespace

SpeedReport measure_speed(const std::shared_ptr<Model>& model, const SpeedOptions& options,
                          const SpeedCallback& callback) {
    check(options);
    return SpeedMeasurement(model, options, callback).run();
}

}  // namespace kvsplit::lab
