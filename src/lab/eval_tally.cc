#include "lab/eval_tally.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"

namespace kvsplit::lab {
namespace {

// Whether the right answer has the highest mean log-probability per token (ties: the first wins), or a single
// answer is what greedy decoding writes.
bool is_right(const TaskItem& item, std::span<const AnswerScore> scores) {
    if (scores.size() == 1) return scores[0].greedy;
    std::size_t best = 0;
    const auto per_token = [&](std::size_t i) { return scores[i].nll / double(item.answers[i].size()); };
    for (std::size_t i = 1; i < scores.size(); ++i) {
        if (per_token(i) < per_token(best)) best = i;
    }
    return static_cast<int>(best) == item.right;
}

std::int64_t scored_tokens(const TaskItem& item) {
    std::int64_t n = 0;
    for (const auto& answer : item.answers) n += static_cast<std::int64_t>(answer.size());
    return n;
}

}  // namespace

EvalTally::EvalTally(std::span<const TaskItem> items, std::vector<EvalCache> caches,
                     std::optional<std::size_t> reference)
    : items_(items), caches_(std::move(caches)), reference_(reference), outcomes_(caches_.size()) {
    for (const EvalCache& cache : caches_) totals_.results.emplace_back().spec = cache.spec;
}

void EvalTally::add(std::span<const std::vector<AnswerScore>> scores) {
    KVSPLIT_CHECK(scores.size() == caches_.size() && done_ < static_cast<int>(items_.size()));
    const TaskItem& item = items_[static_cast<std::size_t>(done_++)];
    const auto right = static_cast<std::size_t>(item.right);
    const int prompt = static_cast<int>(item.prompt.size());
    groups_.push_back(item.group);
    totals_.tokens_scored += scored_tokens(item);
    for (std::size_t c = 0; c < scores.size(); ++c) {
        KVSPLIT_CHECK(scores[c].size() == item.answers.size());
        Outcomes& o = outcomes_[c];
        o.right.push_back(is_right(item, scores[c]));
        o.answer_nll.push_back(scores[c][right].nll);
        o.nll.push_back(scores[c][right].nll / double(item.answers[right].size()));

        EvalResult& total = totals_.results[c];
        for (const auto& answer : item.answers) {
            for (int i = 0; i < static_cast<int>(answer.size()); ++i) {
                total.tokens_sealed += caches_[c].reads_codes(prompt - 1 + i);
            }
        }
        // Evidence without a known end may be anywhere, from the first token on.
        const int last = item.evidence_end < 0 ? 0 : item.evidence_end - 1;
        total.answers_exact +=
            item.evidence_end < 0 ? !caches_[c].reads_codes(prompt - 1) : caches_[c].exact(prompt - 1, last);
    }
}

EvalReport EvalTally::report() const {
    EvalReport report = totals_;
    report.items = done_;
    if (done_ == 0) return report;
    for (std::size_t c = 0; c < caches_.size(); ++c) report.results[c] = result(c);
    return report;
}

EvalResult EvalTally::result(std::size_t cache) const {
    const Outcomes& o = outcomes_[cache];
    EvalResult out = totals_.results[cache];
    out.right = static_cast<int>(std::count(o.right.begin(), o.right.end(), 1));
    out.share = share_interval(out.right, done_);
    out.nll = mean_interval(o.nll, groups_);
    out.answer_perplexity = std::exp(mean_interval(o.answer_nll, groups_).value);
    if (reference_) out.vs_f16 = change(outcomes_[*reference_], o);
    out.cells = cells(o);
    return out;
}

EvalChange EvalTally::change(const Outcomes& from, const Outcomes& to) const {
    EvalChange out;
    std::vector<double> nll(from.nll.size());
    for (std::size_t i = 0; i < nll.size(); ++i) {
        nll[i] = to.nll[i] - from.nll[i];
        out.gained += to.right[i] && !from.right[i];
        out.lost += from.right[i] && !to.right[i];
    }
    out.nll = mean_interval(nll, groups_);
    out.right = share_change_interval(out.gained, out.lost, done_);
    return out;
}

std::vector<EvalCell> EvalTally::cells(const Outcomes& o) const {
    std::vector<EvalCell> cells;
    for (std::size_t i = 0; i < o.right.size(); ++i) {
        const TaskItem& item = items_[i];
        if (item.context == 0 && item.depth < 0) continue;
        auto cell = std::find_if(cells.begin(), cells.end(), [&](const EvalCell& c) {
            return c.context == item.context && c.depth == item.depth;
        });
        if (cell == cells.end()) cell = cells.insert(cells.end(), {item.context, item.depth});
        ++cell->items;
        cell->right += o.right[i];
        cell->nll += o.nll[i];
    }
    for (EvalCell& cell : cells) cell.nll /= cell.items;
    return cells;
}

}  // namespace kvsplit::lab
