#include "lab/eval.h"

#include <algorithm>

#include "base/error.h"
#include "lab/eval_tally.h"
#include "lab/exact_reach.h"
#include "lab/prompt_tree.h"

namespace kvsplit::lab {
namespace {

void check(std::span<const KvSpec> specs) {
    if (specs.empty()) fail(ErrorCode::kInvalidArgument, "no cache precision to measure");
    for (auto spec = specs.begin(); spec != specs.end(); ++spec) {
        spec->validate();
        if (std::find(specs.begin(), spec, *spec) != spec) {
            fail(ErrorCode::kInvalidArgument, "cache precision {} is named twice", spec->name());
        }
    }
}

int longest_item(const Task& task) {
    std::size_t longest = 0;
    for (const TaskItem& item : task.items) {
        for (const auto& answer : item.answers)
            longest = std::max(longest, item.prompt.size() + answer.size());
    }
    return static_cast<int>(longest);
}

EvalTally make_tally(const Model& model, const Task& task, std::span<const KvSpec> specs) {
    std::vector<EvalCache> caches;
    for (const KvSpec& spec : specs) {
        const ExactReach reach(model, spec);
        caches.push_back({spec, [reach](int query) { return reach.reads_codes(query); },
                          [reach](int query, int position) { return reach.exact(query, position); }});
    }
    const auto f16 = std::find(specs.begin(), specs.end(), KvSpec::parse("f16"));
    std::optional<std::size_t> reference;
    if (f16 != specs.end()) reference = static_cast<std::size_t>(f16 - specs.begin());
    return {task.items, std::move(caches), reference};
}

}  // namespace

EvalReport run_task(const std::shared_ptr<Model>& model, const Task& task, std::span<const KvSpec> specs,
                    const EvalCallback& callback) {
    check(specs);
    const auto plan = plan_prompts(task.items);
    const int longest = longest_item(task);
    std::vector<PromptReader> readers;
    for (const KvSpec& spec : specs) readers.emplace_back(model, spec, longest);
    EvalTally tally = make_tally(*model, task, specs);

    const auto report = [&] {
        EvalReport out = tally.report();
        out.longest = longest;
        for (EvalResult& result : out.results) result.kv = model->plan(result.spec, longest);
        return out;
    };
    double total = 0, done = 0;  // tokens to evaluate
    for (std::size_t i = 0; i < plan.size(); ++i) total += double(planned_tokens(task.items[i], plan[i]));
    total = std::max(total * static_cast<double>(specs.size()), 1.0);

    EvalReport latest = report();
    const auto tell = [&](int tokens) {
        done += tokens;
        return !callback ||
               callback({tally.done(), static_cast<int>(task.items.size()), done / total, latest});
    };
    for (std::size_t i = 0; i < plan.size(); ++i) {
        std::vector<std::vector<AnswerScore>> scores;
        for (PromptReader& reader : readers) {
            scores.push_back(reader.score(task.items[i], plan[i], tell));
            if (scores.back().size() < task.items[i].answers.size()) return report();
        }
        tally.add(scores);
        latest = report();
        if (!tell(0)) break;
    }
    return report();
}

}  // namespace kvsplit::lab
