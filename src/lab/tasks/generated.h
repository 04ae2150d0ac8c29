// The tasks that are made up: something stands somewhere in a long prompt and is asked for at its end.
#pragma once

#include <string>
#include <vector>

#include "lab/tasks/filled_prompts.h"

namespace kvsplit::lab {

// needle: every prompt holds one code for each depth, each under a name of its own, and each is asked for.
// passkey: every prompt holds a single key.
// haystack: sentences to hide them in; empty: made-up prose, and for passkey a refrain.
void add_hidden_code_items(Task& task, const Model& model, FilledOptions options,
                           const std::vector<std::string>& haystack, const TaskCallback& callback);

// copy: the prompt is nothing but records, "bakiro: 48213"; asked are some around each depth.
void add_record_items(Task& task, const Model& model, const FilledOptions& options,
                      const TaskCallback& callback);

}  // namespace kvsplit::lab
