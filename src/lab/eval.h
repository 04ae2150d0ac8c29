// Tasks whose answers depend on what the cache kept. Several caches answer the same questions side by side.
//
// Every task reduces to the log-probabilities of given answers after a prompt. Where a question has
// several answers (hellaswag), the one with the highest mean per token wins. Where it has one (the others),
// the answer counts as right if it is what greedy decoding would have written.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvsplit/kv_spec.h"
#include "kvsplit/model.h"
#include "lab/intervals.h"

namespace kvsplit::lab {

enum class TaskKind { kNeedle, kPasskey, kCopy, kHellaswag, kLambada };

struct TaskInfo {
    TaskKind kind;
    std::string_view name;     // "needle"
    std::string_view summary;  // one line
    bool needs_file;           // of questions; the others are generated
    bool takes_file;           // needle, passkey: a text to hide things in
    int items;                 // defaults
    int context;               // tokens
};

std::span<const TaskInfo> known_tasks();
// Null for an unknown name.
const TaskInfo* find_task(std::string_view name);

struct TaskOptions {
    int items = 0;               // questions per context, from the first; 0: the task's default
    std::vector<int> contexts;   // tokens of a prompt with its answer; empty: the task's default
    std::vector<double> depths;  // where in the prompt the answer stands, 0 to 1; empty: five places
    int shots = -1;              // hellaswag, lambada: solved questions in front; -1: what fits the context
    std::uint64_t seed = 1;      // of the generated tasks: the same seed, the same questions
    std::string file;            // its name, for messages; "": none
    std::string text;            // its contents
};

// One question, in tokens. The answers follow the prompt.
struct TaskItem {
    std::vector<Token> prompt;                // at least one
    std::vector<std::vector<Token>> answers;  // at least one, none of them empty
    int right = 0;                            // index of the right answer
    int group = 0;          // items with the same prompt text form one group, and are adjacent
    int context = 0;        // of the options; 0 if prompts have no set length
    double depth = -1;      // of the options; -1: none
    int evidence_end = -1;  // tokens up to the end of the evidence for the answer; -1: all
};

struct Task {
    TaskInfo info;
    int shots = 0;
    std::vector<TaskItem> items;
};

// Called with the share of questions made. Return false to stop: the task then has those made so far.
using TaskCallback = std::function<bool(double fraction)>;

// Generates the questions, or reads them from the file's text. Throws Error(kFormat) with file and line if
// the file is damaged, Error(kInvalidArgument) if options are invalid or the model's context is too small.
Task make_task(const Model& model, const TaskInfo& info, const TaskOptions& options,
               const TaskCallback& callback = {});

// One cache's score of one answer.
struct AnswerScore {
    double nll = 0;       // -ln P(answer | prompt), nats, summed over its tokens
    bool greedy = false;  // every token is the most likely one
};

struct EvalChange {
    Interval right;  // share of right answers: this minus f16's
    Interval nll;    // of the right answer, nats per token: this minus f16's
    int gained = 0;  // right here, wrong with f16
    int lost = 0;    // wrong here, right with f16
};

// The figures of one context and depth.
struct EvalCell {
    int context = 0;
    double depth = -1;
    int items = 0, right = 0;
    double nll = 0;  // per answer token
};

struct EvalResult {
    KvSpec spec;
    int right = 0;                     // of the report's items
    Interval share;                    // of right answers, 0 to 1
    Interval nll;                      // of the right answer, nats per token, mean over items
    double answer_perplexity = 0;      // e^(mean over items of the whole right answer's nll)
    std::optional<EvalChange> vs_f16;  // if f16 is among the caches
    std::vector<EvalCell> cells;       // in order of appearance; empty without contexts and depths
    std::int64_t tokens_sealed = 0;    // scored tokens whose attention reads sealed pages
    int answers_exact = 0;             // items whose evidence lies in the exact part: caches cannot differ
    KvStats kv;                        // of a cache that holds the longest prompt
};

struct EvalReport {
    int items = 0;                    // scored by every cache
    int longest = 0;                  // tokens of the longest prompt with its answer
    std::int64_t tokens_scored = 0;   // answer tokens, per cache
    std::vector<EvalResult> results;  // in the order of the specs
};

struct EvalProgress {
    int items_done = 0, items_total = 0;
    double fraction = 0;  // of all the work; also grows within an item
    const EvalReport& report;
};
// Return false to stop: the report so far is then the result.
using EvalCallback = std::function<bool(const EvalProgress&)>;

// Runs all items through each cache. Throws Error(kInvalidArgument) if a spec occurs twice or there are none.
EvalReport run_task(const std::shared_ptr<Model>& model, const Task& task, std::span<const KvSpec> specs,
                    const EvalCallback& callback = {});

}  // namespace kvsplit::lab
