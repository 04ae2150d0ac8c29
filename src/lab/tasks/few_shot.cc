#include "lab/tasks/few_shot.h"

#include <algorithm>

#include "base/error.h"

namespace kvsplit::lab {
namespace {

std::string solved(const Question& q) {
    return q.prompt + q.answers[static_cast<std::size_t>(q.right)] + "\n\n";
}

// As many solved questions, from the last one backwards, as fit into `context` tokens; at most half of all.
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
                        const TaskOptions& options, int context, std::string_view file) {
    const auto n = static_cast<int>(questions.size());
    task.shots = options.shots >= 0 ? options.shots : shots_that_fit(model, questions, context);
    if (task.shots >= n) {
        fail(ErrorCode::kInvalidArgument,
             "{}: {} questions, and {} of them as solved ones in front leave none to ask: give a longer "
             "file, a "
             "smaller context or fewer shots",
             file, n, task.shots);
    }
    std::string prefix;
    for (int i = n - task.shots; i < n; ++i) prefix += solved(questions[static_cast<std::size_t>(i)]);
    const int wanted = options.items > 0 ? options.items : task.info.items;
    for (int i = 0; i < std::min(wanted, n - task.shots); ++i) {
        Question question = questions[static_cast<std::size_t>(i)];
        question.prompt.insert(0, prefix);
        task.items.push_back(tokenize_question(model, question));
        task.items.back().group = i;
    }
}

}  // namespace kvsplit::lab
