#include "lab/tasks/few_shot.h"

#include <algorithm>

#include "base/error.h"

namespace kvsplit::lab {
namespace {

void check_fits(const Model& model, const TaskItem& item, const std::string& place) {
    std::size_t longest = 0;
    for (const auto& answer : item.answers) longest = std::max(longest, item.prompt.size() + answer.size());
    const int context = model.info().context_length;
    if (context > 0 && longest > static_cast<std::size_t>(context)) {
        fail(ErrorCode::kInvalidArgument,
             "{}: the prompt with its answer has {} tokens, but the model was made for {}: give a smaller "
             "context "
             "or fewer shots",
             place, longest, context);
    }
}

std::string solved(const Question& q) {
    return q.prompt + q.answers[static_cast<std::size_t>(q.right)] + "\n\n";
}

// The number of solved questions, counted back from the last one, that fit into `context` tokens; at most
// half of all.
int shots_that_fit(const Model& model, const std::vector<Question>& questions, int context) {
    int shots = 0;
    std::size_t tokens = 0;
    for (auto q = questions.rbegin(); shots < static_cast<int>(questions.size() / 2); ++q) {
        tokens += model.tokenize(solved(*q), false, false).size();
        if (tokens > static_cast<std::size_t>(context)) break;
        ++shots;
    }
    return shots;
}

}  // namespace

void add_few_shot_items(Task& task, const Model& model, const std::vector<Question>& questions,
                        const TaskOptions& options, int context, std::string_view file,
                        const TaskCallback& callback) {
    const auto n = static_cast<int>(questions.size());
    task.shots = options.shots >= 0 ? options.shots : shots_that_fit(model, questions, context);
    if (task.shots >= n) {
        fail(ErrorCode::kInvalidArgument,
             "{}: {} questions, and {} of them as solved ones in front leave none to ask: give a longer file "
             "or fewer "
             "shots",
             file, n, task.shots);
    }
    std::string prefix;
    for (int i = n - task.shots; i < n; ++i) prefix += solved(questions[static_cast<std::size_t>(i)]);
    const int wanted = std::min(options.items > 0 ? options.items : task.info.items, n - task.shots);
    for (int i = 0; i < wanted; ++i) {
        Question question = questions[static_cast<std::size_t>(i)];
        question.prompt.insert(0, prefix);
        task.items.push_back(tokenize_question(model, question));
        task.items.back().group = i;
        check_fits(model, task.items.back(), question.place);
        if (callback && !callback(double(i + 1) / wanted)) return;
    }
}

}  // namespace kvsplit::lab
