#include "lab/measurement.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/thread_pool.h"
#include "lab/row_scores.h"

namespace kvsplit::lab {
namespace {

// Rows of logits held at a time, per lane: three lanes' worth stay within 3 x 64 MiB, and a projection of 16
// rows or more reads the output matrix once for all of them.
int rows_per_block(int n_vocab) {
    constexpr std::size_t kBytes = std::size_t{64} << 20;
    const auto rows = kBytes / (sizeof(float) * static_cast<std::size_t>(n_vocab));
    return static_cast<int>(std::clamp<std::size_t>(rows, 16, 256));
}

// A block of logits (rows, n_vocab) of one lane, and the scores of its rows.
struct Block {
    std::vector<float> logits;
    std::vector<RowScore> scores;
};

class Measurement {
  public:
    Measurement(const MeasurementPlan& plan, std::span<const Token> chunks,
                const std::function<bool(const MeasurementState&)>& step)
        : plan_(plan),
          chunks_(chunks),
          step_(step),
          pool_(plan.threads),
          first_(plan.context / 2),
          n_chunks_(static_cast<int>(chunks.size()) / plan.context),
          block_(rows_per_block(plan.n_vocab)),
          scores_(plan.lanes.size()) {
        allocate(lane_);
        if (plan.reference) allocate(reference_);
        if (plan.base) allocate(base_);
    }

    std::vector<LaneScores> run() {
        while (done_ < n_chunks_ && read_chunk()) {
        }
        return std::move(scores_);
    }

  private:
    std::size_t vocabulary() const { return static_cast<std::size_t>(plan_.n_vocab); }

    void allocate(Block& block) const {
        block.logits.resize(static_cast<std::size_t>(block_) * vocabulary());
        block.scores.resize(static_cast<std::size_t>(block_));
    }

    // Evaluating the tokens is about half of the work; projecting and scoring half of them is the rest.
    bool tell(double tokens_read, double tokens_scored) {
        const double scored = plan_.context - first_;
        const double part = 0.5 * tokens_read / plan_.context + 0.5 * tokens_scored / scored;
        return !step_ || step_({done_, n_chunks_, (done_ + part) / n_chunks_, scores_});
    }

    // False: stopped.
    bool read_chunk() {
        const auto size = static_cast<std::size_t>(plan_.context);
        const auto chunk = chunks_.subspan(static_cast<std::size_t>(done_) * size, size);
        for (Lane* lane : plan_.lanes) lane->restart();
        for (int at = 0; at < plan_.context;) {
            const bool scored = at >= first_;
            const int n = std::min(plan_.batch, (scored ? plan_.context : first_) - at);
            if (!read_batch(chunk, at, n)) return false;
            if (scored && !score_batch(chunk, at, std::min(n, plan_.context - 1 - at))) return false;
            at += n;
        }
        ++done_;
        return tell(0, 0);
    }

    bool read_batch(std::span<const Token> chunk, int at, int n) {
        const auto tokens = chunk.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(n));
        double lanes_done = 0;
        for (Lane* lane : plan_.lanes) {
            lane->read(tokens);
            const double part = ++lanes_done / static_cast<double>(plan_.lanes.size());
            if (!tell(at + part * n, std::max(at - first_, 0))) return false;
        }
        return true;
    }

    // Scores the n positions from `at` on, each by the token that follows it.
    bool score_batch(std::span<const Token> chunk, int at, int n) {
        for (int row = 0; row < n; row += block_) {
            const int rows = std::min(block_, n - row);
            position_ = at + row;
            score_block(
                chunk.subspan(static_cast<std::size_t>(position_ + 1), static_cast<std::size_t>(rows)), row);
            if (!tell(at + n, at + row + rows - first_)) return false;
        }
        return true;
    }

    void score_block(std::span<const Token> targets, int row) {
        if (plan_.reference) project(*plan_.reference, row, targets, reference_);
        if (plan_.base) project(*plan_.base, row, targets, base_);
        for (std::size_t i = 0; i < plan_.lanes.size(); ++i) {
            const Block* block = plan_.reference == i ? &reference_ : plan_.base == i ? &base_ : &lane_;
            if (block == &lane_) project(i, row, targets, lane_);
            for (std::size_t r = 0; r < targets.size(); ++r) scores_[i].nll.add(block->scores[r].nll);
            if (plan_.reference) compare(*block, reference_, targets.size(), scores_[i].vs_reference);
            if (plan_.base) compare(*block, base_, targets.size(), scores_[i].vs_base);
        }
    }

    void project(std::size_t lane, int row, std::span<const Token> targets, Block& out) {
        plan_.lanes[lane]->logits(row, std::span(out.logits).first(targets.size() * vocabulary()));
        pool_.for_each(static_cast<int>(targets.size()), [&](int i) {
            const auto at = static_cast<std::size_t>(i);
            out.scores[at] = score_row(logits_row(out, at), targets[at]);
        });
        for (std::size_t i = 0; i < targets.size(); ++i) {
            if (std::isfinite(out.scores[i].nll)) continue;
            fail(ErrorCode::kFormat,
                 "{} gives logits that are not finite, first after token {} of chunk {}: the weights may be "
                 "damaged",
                 plan_.lanes[lane]->name(), position_ + static_cast<int>(i), done_);
        }
    }

    void compare(const Block& block, const Block& with, std::size_t n, Comparison& out) {
        differences_.resize(n);
        pool_.for_each(static_cast<int>(n), [&](int i) {
            const auto at = static_cast<std::size_t>(i);
            const RowScore &score = block.scores[at], &other = with.scores[at];
            TokenDifference& difference = differences_[at];
            difference.kld =
                &block == &with ? 0 : divergence(logits_row(with, at), other, logits_row(block, at), score);
            difference.nll_change = score.nll - other.nll;
            difference.p_change = std::exp(-score.nll) - std::exp(-other.nll);
            difference.same_top = score.top == other.top;
        });
        for (const TokenDifference& difference : differences_) out.add(difference);
    }

    std::span<const float> logits_row(const Block& block, std::size_t i) const {
        return std::span(block.logits).subspan(i * vocabulary(), vocabulary());
    }

    const MeasurementPlan& plan_;
    std::span<const Token> chunks_;
    const std::function<bool(const MeasurementState&)>& step_;
    ThreadPool pool_;
    int first_;  // the first scored position of a chunk
    int n_chunks_, block_;
    int done_ = 0, position_ = 0;
    std::vector<LaneScores> scores_;  // per lane
    Block lane_, reference_, base_;
    std::vector<TokenDifference> differences_;  // (rows of a block)
};

}  // namespace

std::vector<LaneScores> measure(const MeasurementPlan& plan, std::span<const Token> chunks,
                                const std::function<bool(const MeasurementState&)>& step) {
    return Measurement(plan, chunks, step).run();
}

}  // namespace kvsplit::lab
