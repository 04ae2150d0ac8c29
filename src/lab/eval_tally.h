// EvalTally: turns the scores of single items into a task's report.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "lab/eval.h"

namespace kvsplit::lab {

// What the tally needs to know about a cache besides its scores.
struct EvalCache {
    KvSpec spec;
    std::function<bool(int query)> reads_codes;
    std::function<bool(int query, int position)> exact;
};

class EvalTally {
  public:
    // reference: index of the f16 cache, if there is one.
    EvalTally(std::span<const TaskItem> items, std::vector<EvalCache> caches,
              std::optional<std::size_t> reference);

    // The scores of the next item's answers through each cache.
    void add(std::span<const std::vector<AnswerScore>> scores);
    int done() const { return done_; }
    // KvStats are left empty: the model knows them.
    EvalReport report() const;

  private:
    // One cache's outcomes, per item.
    struct Outcomes {
        std::vector<char> right;
        std::vector<double> nll;         // of the right answer, per token
        std::vector<double> answer_nll;  // summed over its tokens
    };

    EvalResult result(std::size_t cache) const;
    EvalChange change(const Outcomes& from, const Outcomes& to) const;
    std::vector<EvalCell> cells(const Outcomes& outcomes) const;

    std::span<const TaskItem> items_;
    std::vector<EvalCache> caches_;
    std::optional<std::size_t> reference_;
    int done_ = 0;
    std::vector<Outcomes> outcomes_;  // per cache
    std::vector<int> groups_;         // per item
    EvalReport totals_;               // results hold the counts of tokens
};

}  // namespace kvsplit::lab
