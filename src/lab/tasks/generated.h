// The tasks that are made up: something stands somewhere in a long prompt and is asked for at its end.
//
// The same seed, model and options give the same questions on every machine. Questions of one prompt differ
// in their last line only, so that the prompt is read once for all of them.
#pragma once

#include <vector>

#include "lab/eval.h"

namespace kvsplit::lab {

// What make_task() has settled: a number of items, at least one context and one depth.
struct GeneratedOptions {
    int items = 0;  // per context
    std::vector<int> contexts;
    std::vector<double> depths;
    std::uint64_t seed = 1;
    const std::vector<std::string>* haystack = nullptr;  // sentences to hide things in; null: made up
};

// needle: every prompt holds one code for each depth, each under a name of its own; asked is one of them.
// passkey: every prompt holds a single five-digit key, in text that repeats itself.
void add_hidden_code_items(Task& task, const Model& model, const GeneratedOptions& options);

// copy: the prompt is nothing but records, "key: value" in random words; asked are some around each depth.
void add_record_items(Task& task, const Model& model, const GeneratedOptions& options);

}  // namespace kvsplit::lab
