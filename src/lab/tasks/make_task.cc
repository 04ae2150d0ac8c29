// The table of tasks, and how each is made.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "lab/eval.h"
#include "lab/tasks/few_shot.h"
#include "lab/tasks/filler.h"
#include "lab/tasks/generated.h"
#include "lab/tasks/question_files.h"

namespace kvsplit::lab {
namespace {

// With these items and contexts a model of 135M parameters takes about half a minute for three caches on two
// cores.
constexpr std::array<TaskInfo, 5> kTasks{{
    {TaskKind::kNeedle, "needle", "one of several codes, hidden in made-up prose", false, true, 40, 2048},
    {TaskKind::kPasskey, "passkey", "a five-digit key, hidden in text that repeats itself", false, true, 15,
     2048},
    {TaskKind::kCopy, "copy", "one of a list of records, asked for by its key", false, false, 100, 2048},
    {TaskKind::kHellaswag, "hellaswag", "the likeliest of four endings, in llama.cpp's file format", true,
     true, 100, 1024},
    {TaskKind::kLambada, "lambada", "the last word of a passage, JSON lines {\"text\": ...}", true, true, 200,
     1024},
}};

constexpr double kDefaultDepths[] = {0.1, 0.3, 0.5, 0.7, 0.9};
constexpr std::size_t kMostDepths = 50;  // as many names as a haystack has

void check_options(const TaskInfo& info, const TaskOptions& o) {
    if (o.items < 0) fail(ErrorCode::kInvalidArgument, "{} items", o.items);
    for (const int context : o.contexts) {
        if (context < 0) fail(ErrorCode::kInvalidArgument, "a context of {} tokens", context);
    }
    for (const double depth : o.depths) {
        if (!(depth >= 0 && depth <= 1)) {
            fail(ErrorCode::kInvalidArgument, "a depth of {}: it is a fraction, 0 to 1", depth);
        }
    }
    if (o.depths.size() > kMostDepths) {
        fail(ErrorCode::kInvalidArgument, "{} depths: at most {}", o.depths.size(), kMostDepths);
    }
    if (info.needs_file && o.file.empty()) {
        fail(ErrorCode::kInvalidArgument, "the task {} needs a file of questions", info.name);
    }
    if (!info.takes_file && !o.file.empty()) {
        fail(ErrorCode::kInvalidArgument, "the task {} takes no file", info.name);
    }
    if (info.needs_file && o.contexts.size() > 1) {
        fail(ErrorCode::kInvalidArgument, "the task {} takes one context only", info.name);
    }
    if (info.needs_file && !o.depths.empty()) {
        fail(ErrorCode::kInvalidArgument, "the task {} has no depths", info.name);
    }
    if (!info.needs_file && o.shots >= 0) {
        fail(ErrorCode::kInvalidArgument, "the task {} takes no shots: its context says how long prompts are",
             info.name);
    }
}

void add_file_items(Task& task, const Model& model, const TaskOptions& o, const TaskCallback& callback) {
    const auto questions = task.info.kind == TaskKind::kHellaswag ? parse_hellaswag(o.text, o.file)
                                                                  : parse_lambada(o.text, o.file);
    if (questions.empty()) fail(ErrorCode::kFormat, "{}: no questions in it", o.file);
    add_few_shot_items(task, model, questions, o, callback);
}

template <typename T>
void sort_and_unite(std::vector<T>& list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
}

void add_generated_items(Task& task, const Model& model, const TaskOptions& o, const TaskCallback& callback) {
    FilledOptions g;
    g.items = o.items > 0 ? o.items : task.info.items;
    const int most = model.info().context_length;
    g.contexts = o.contexts.empty() ? std::vector<int>{std::min(task.info.context, most)} : o.contexts;
    g.depths = o.depths;
    if (g.depths.empty()) g.depths.assign(std::begin(kDefaultDepths), std::end(kDefaultDepths));
    g.seed = o.seed;
    sort_and_unite(g.depths);
    sort_and_unite(g.contexts);
    if (g.contexts.back() > most) {
        fail(ErrorCode::kInvalidArgument, "a context of {} tokens: the model was made for {}",
             g.contexts.back(), most);
    }
    std::vector<std::string> sentences;
    if (!o.file.empty()) {
        sentences = split_sentences(o.text);
        if (sentences.empty()) fail(ErrorCode::kFormat, "{}: no text in it", o.file);
    }
    if (task.info.kind == TaskKind::kCopy) {
        add_record_items(task, model, g, callback);
    } else {
        add_hidden_code_items(task, model, g, sentences, callback);
    }
}

}  // namespace

std::span<const TaskInfo> known_tasks() { return kTasks; }

const TaskInfo* find_task(std::string_view name) {
    const auto found =
        std::find_if(kTasks.begin(), kTasks.end(), [&](const TaskInfo& t) { return t.name == name; });
    return found == kTasks.end() ? nullptr : &*found;
}

Task make_task(const Model& model, const TaskInfo& info, const TaskOptions& options,
               const TaskCallback& callback) {
    check_options(info, options);
    Task task;
    task.info = info;
    if (info.needs_file) {
        add_file_items(task, model, options, callback);
    } else {
        add_generated_items(task, model, options, callback);
    }
    return task;
}

}  // namespace kvsplit::lab
