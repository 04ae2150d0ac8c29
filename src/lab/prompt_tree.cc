#include "lab/prompt_tree.h"

#include <algorithm>

#include "base/check.h"
#include "engine/hidden.h"
#include "lab/row_scores.h"

namespace kvsplit::lab {
namespace {

constexpr std::size_t kStepTokens = 512;  // tokens between two steps
constexpr std::size_t kRowsAtOnce = 32;   // rows of logits that are held

int common_length(const std::vector<Token>& a, const std::vector<Token>& b) {
    const auto ends = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    return static_cast<int>(ends.first - a.begin());
}

int length(const TaskItem& item) { return static_cast<int>(item.prompt.size()); }

// A checkpoint while the plan simulates the reading.
struct PlannedCheckpoint {
    int length;
    std::size_t made_by;    // item
    std::size_t last_user;  // item; made_by if no prompt started here
};

// The lengths beyond `from` at which later prompts diverge from prompt i.
std::vector<int> branches(std::span<const TaskItem> items, std::span<const int> common, std::size_t i,
                          int from) {
    std::vector<int> lengths;
    int shared = length(items[i]);
    for (std::size_t j = i + 1; j < items.size(); ++j) {
        shared = std::min(shared, common[j]);
        if (shared <= from) break;
        const int start = std::min(shared, length(items[j]) - 1);
        if (start > from) lengths.push_back(start);
    }
    std::sort(lengths.begin(), lengths.end());
    lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
    return lengths;
}

}  // namespace

std::vector<PromptStep> plan_prompts(std::span<const TaskItem> items) {
    std::vector<int> common(items.size(), 0);  // with the prompt before
    for (std::size_t i = 1; i < items.size(); ++i) {
        common[i] = common_length(items[i - 1].prompt, items[i].prompt);
    }
    std::vector<PromptStep> steps(items.size());
    std::vector<PlannedCheckpoint> all;
    std::vector<std::size_t> path, started(items.size(), items.size());  // indices into all
    for (std::size_t i = 0; i < items.size(); ++i) {
        const int reach = std::min(common[i], length(items[i]) - 1);
        while (!path.empty() && all[path.back()].length > reach) path.pop_back();
        if (!path.empty()) {
            started[i] = path.back();
            all[path.back()].last_user = i;
            steps[i].from = all[path.back()].length;
        }
        for (const int at : branches(items, common, i, steps[i].from)) {
            path.push_back(all.size());
            all.push_back({at, i, i});
        }
    }
    for (const PlannedCheckpoint& c : all) {
        if (c.last_user != c.made_by) steps[c.made_by].keep.push_back(c.length);
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (steps[i].from > 0) steps[i].last_use = all[started[i]].last_user == i;
    }
    return steps;
}

std::int64_t planned_tokens(const TaskItem& item, const PromptStep& step) {
    std::int64_t n = length(item) - step.from;
    for (const auto& answer : item.answers) n += static_cast<std::int64_t>(answer.size()) - 1;
    return n;
}

PromptReader::PromptReader(std::shared_ptr<Model> model, const KvSpec& spec, int context)
    : model_(std::move(model)),
      spec_(spec),
      context_(context),
      width_(static_cast<std::size_t>(model_->info().n_embd)),
      states_(kStepTokens * width_) {
    Session::create(model_, spec_, context_);  // throws for an unsupported width
}

bool PromptReader::eval(std::span<const Token> tokens, const Step& step) {
    for (std::size_t at = 0; at < tokens.size(); at += kStepTokens) {
        const std::size_t n = std::min(kStepTokens, tokens.size() - at);
        eval_hidden(*session_, tokens.subspan(at, n), std::span(states_).first(n * width_));
        last_state_ = (n - 1) * width_;
        if (step && !step(static_cast<int>(n))) return false;
    }
    return true;
}

bool PromptReader::read_prompt(const TaskItem& item, const PromptStep& plan, const Step& step) {
    while (!checkpoints_.empty() && checkpoints_.back().length > plan.from) checkpoints_.pop_back();
    if (plan.from == 0) {
        session_ = Session::create(model_, spec_, context_);
    } else {
        KVSPLIT_CHECK(!checkpoints_.empty() && checkpoints_.back().length == plan.from);
        // Moved rather than forked on its last use: a fork of an exact cache copies all of it.
        session_ =
            plan.last_use ? std::move(checkpoints_.back().session) : checkpoints_.back().session->fork();
        if (plan.last_use) checkpoints_.pop_back();
    }
    const std::span<const Token> prompt = item.prompt;
    auto at = static_cast<std::size_t>(plan.from);
    for (const int keep : plan.keep) {
        const auto end = static_cast<std::size_t>(keep);
        if (!eval(prompt.subspan(at, end - at), step)) return false;
        checkpoints_.push_back({keep, session_->fork()});
        at = end;
    }
    return eval(prompt.subspan(at), step);
}

void PromptReader::add_rows(AnswerScore& score, std::span<const Token> tokens,
                            std::span<const float> states) {
    const auto n_vocab = static_cast<std::size_t>(model_->info().n_vocab);
    for (std::size_t at = 0; at < tokens.size(); at += kRowsAtOnce) {
        const std::size_t n = std::min(kRowsAtOnce, tokens.size() - at);
        logits_.resize(std::max(logits_.size(), n * n_vocab));
        project_logits(*model_, states.subspan(at * width_, n * width_),
                       std::span(logits_).first(n * n_vocab));
        for (std::size_t row = 0; row < n; ++row) {
            const Token target = tokens[at + row];
            const RowScore r = score_row(std::span(logits_).subspan(row * n_vocab, n_vocab), target);
            score.nll += r.nll;
            // Greedy decoding writes the answer if and only if each of its tokens is the most likely one
            // after the earlier ones.
            score.greedy = score.greedy && r.top == target;
        }
    }
}

std::vector<AnswerScore> PromptReader::score(const TaskItem& item, const PromptStep& plan, const Step& step) {
    std::vector<AnswerScore> scores;
    if (!read_prompt(item, plan, step)) return scores;
    const std::vector<float> prompt_state(
        states_.begin() + static_cast<std::ptrdiff_t>(last_state_),
        states_.begin() + static_cast<std::ptrdiff_t>(last_state_ + width_));
    const std::unique_ptr<Session> prompt_session = std::move(session_);
    for (const std::vector<Token>& answer : item.answers) {
        AnswerScore score{0, true};
        const std::span<const Token> tokens = answer;
        add_rows(score, tokens.first(1), prompt_state);
        session_ = &answer == &item.answers.back() ? nullptr : prompt_session->fork();
        Session& session = session_ ? *session_ : *prompt_session;
        for (std::size_t at = 0; at + 1 < tokens.size(); at += kStepTokens) {
            const std::size_t n = std::min(kStepTokens, tokens.size() - 1 - at);
            eval_hidden(session, tokens.subspan(at, n), std::span(states_).first(n * width_));
            add_rows(score, tokens.subspan(at + 1, n), std::span(states_).first(n * width_));
            if (step && !step(static_cast<int>(n))) return scores;
        }
        scores.push_back(score);
    }
    return scores;
}

}  // namespace kvsplit::lab
