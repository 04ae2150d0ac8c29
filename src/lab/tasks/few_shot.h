// Questions of a file after solved ones of the same file.
//
// A question alone is shorter than the exact part of a cache, so every cache would read the same. Solved
// questions in front make the cache as long as wanted, and benchmarks are usually run that way.
#pragma once

#include <vector>

#include "lab/tasks/question.h"

namespace kvsplit::lab {

// The first options.items questions as items. The solved ones, the same for all, come from the end of the
// list, so the questions asked do not depend on their number. Sets task.shots and task.items. Throws
// Error(kInvalidArgument) if there are too few questions.
void add_few_shot_items(Task& task, const Model& model, const std::vector<Question>& questions,
                        const TaskOptions& options, const TaskCallback& callback);

}  // namespace kvsplit::lab
