// Generated tasks: a long prompt contains something that is asked for at its end.
#pragma once

#include <string>
#include <vector>

#include "lab/tasks/filled_prompts.h"

namespace kvsplit::lab {

// needle: every prompt has one code per depth, each with its own name, and all are asked for. passkey: every
// prompt has a single key. haystack: sentences to hide them in; empty: made-up prose, and for passkey a
// refrain.
void add_hidden_code_items(Task& task, const Model& model, FilledOptions options,
                           const std::vector<std::string>& haystack, const TaskCallback& callback);

// copy: the prompt consists of records such as "bakiro: 48213"; some around each depth are asked for.
void add_record_items(Task& task, const Model& model, const FilledOptions& options,
                      const TaskCallback& callback);

}  // namespace kvsplit::lab
