// Questions of a file behind solved ones of the same file.
//
// A question alone is shorter than the exact part of a cache, so that every cache would read the same. Solved
// questions in front make the cache as long as one likes, in the way that benchmarks are usually run.
#pragma once

#include <string_view>
#include <vector>

#include "lab/tasks/question.h"

namespace kvsplit::lab {

// The first so many questions as items. The solved ones, the same for all, come from the end of the list, so
// that the questions asked stay the same whatever their number. Sets task.shots and task.items. Throws
// Error(kInvalidArgument) where questions run short.
void add_few_shot_items(Task& task, const Model& model, const std::vector<Question>& questions,
                        const TaskOptions& options, int context, std::string_view file,
                        const TaskCallback& callback);

}  // namespace kvsplit::lab
