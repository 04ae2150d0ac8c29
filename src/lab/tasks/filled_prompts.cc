#include "lab/tasks/filled_prompts.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/error.h"

namespace kvsplit::lab {
namespace {

using Asked = FilledPrompt::Asked;

[[noreturn]] void fail_small(const Task& task, int context) {
    fail(ErrorCode::kInvalidArgument, "a context of {} tokens is too small for task '{}'", context,
         task.info.name);
}

// Gathers pieces of at least `context` tokens in total. Each is counted as it tokenises after another.
Pieces gather(const Task& task, const Model& model, const FilledPrompt& prompt, int context,
              std::size_t most) {
    const auto count = [&](const std::string& text) {
        return static_cast<int>(model.tokenize(text, false, false).size());
    };
    const std::string before = "x";
    const int alone = count(before);
    Pieces pieces;
    while (pieces.total() < context) {
        if (most > 0 && pieces.texts.size() == most) {
            fail(ErrorCode::kInvalidArgument,
                 "the text to hide things in has {} tokens, and {} are needed for the task {}: give a longer "
                 "text or a "
                 "smaller context",
                 pieces.total(), context, task.info.name);
        }
        pieces.texts.push_back(prompt.filler());
        const int n = count(std::string(before).append(prompt.separator).append(pieces.texts.back())) - alone;
        pieces.ends.push_back(pieces.total() + std::max(n, 1));
    }
    return pieces;
}

// The questions of one prompt, whose pieces are reduced until the longest question fits into the context.
std::vector<TaskItem> fitting_items(const Task& task, const Model& model, const FilledPrompt& prompt,
                                    int context, Pieces pieces) {
    for (;;) {
        const std::vector<Asked> asked = prompt.ask(pieces);
        if (asked.empty()) fail_small(task, context);
        std::vector<TaskItem> items;
        int longest = 0;
        for (const Asked& a : asked) {
            items.push_back(tokenize_question(model, a.question));
            items.back().depth = a.depth;
            items.back().context = context;
            longest = std::max(longest,
                               static_cast<int>(items.back().prompt.size() + items.back().answers[0].size()));
        }
        if (longest <= context) return items;
        for (const int keep = pieces.total() - (longest - context); pieces.total() > std::max(keep, 0);) {
            pieces.texts.pop_back();
            pieces.ends.pop_back();
        }
        if (pieces.texts.empty()) fail_small(task, context);
    }
}

Random stream(std::uint64_t seed, TaskKind kind, int context, int prompt) {
    std::uint64_t state = seed;
    for (const std::uint64_t part : {static_cast<std::uint64_t>(kind), static_cast<std::uint64_t>(context),
                                     static_cast<std::uint64_t>(prompt)}) {
        state = next_random(state) ^ part;
    }
    return Random(next_random(state));
}

}  // namespace

std::size_t Pieces::before(double depth) const {
    const auto at = static_cast<int>(std::lround(depth * total()));
    return static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), at) - ends.begin());
}

void add_filled_items(Task& task, const Model& model, const FilledOptions& options,
                      const std::function<FilledPrompt(Random)>& make, const TaskCallback& callback) {
    const auto total = static_cast<double>(options.contexts.size()) * options.items;
    int group = 0;
    for (const int context : options.contexts) {
        const std::size_t end = task.items.size() + static_cast<std::size_t>(options.items);
        for (int i = 0; task.items.size() < end; ++i, ++group) {
            const FilledPrompt prompt = make(stream(options.seed, task.info.kind, context, i));
            auto items = fitting_items(task, model, prompt, context,
                                       gather(task, model, prompt, context, options.most_pieces));
            items.resize(std::min(items.size(), end - task.items.size()));
            for (TaskItem& item : items) {
                item.group = group;
                task.items.push_back(std::move(item));
            }
            if (callback && !callback(static_cast<double>(task.items.size()) / total)) return;
        }
    }
}

}  // namespace kvsplit::lab
