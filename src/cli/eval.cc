// kvsplit eval: what each precision of the cache costs on tasks with right and wrong answers.
#include "lab/eval.h"

#include <cmath>
#include <exception>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/text_file.h"
#include "lab/report/table.h"

namespace kvsplit::cli {
namespace {

struct EvalArgs {
    ModelArgs model;
    KvModifierArgs kv_modifiers;
    lab::TaskOptions options;
    std::vector<std::string> tasks{"needle", "passkey", "copy"};
    std::string kv = "f16,k8v4,k4v4";
    const CLI::Option* tasks_option = nullptr;
    bool json = false, list = false;
};

struct FinishedTask {
    lab::Task task;
    lab::EvalReport report;
};

// ---- JSON

Json number(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }

Json interval_json(const lab::Interval& i) {
    return {{"value", number(i.value)}, {"low", number(i.low)}, {"high", number(i.high)}};
}

Json change_json(const std::optional<lab::EvalChange>& change) {
    if (!change) return nullptr;
    return {{"accuracy_change", interval_json(change->right)},
            {"nll_change", interval_json(change->nll)},
            {"gained", change->gained},
            {"lost", change->lost}};
}

Json cells_json(const std::vector<lab::EvalCell>& cells) {
    Json out = Json::array();
    for (const auto& c : cells) {
        out.push_back({{"context", c.context},
                       {"depth", c.depth},
                       {"items", c.items},
                       {"right", c.right},
                       {"nll", number(c.nll)}});
    }
    return out;
}

Json task_json(const FinishedTask& finished) {
    const auto& [task, report] = finished;
    Json results = Json::array();
    for (const auto& r : report.results) {
        results.push_back({{"kv", r.spec.name()},
                           {"right", r.right},
                           {"accuracy", interval_json(r.share)},
                           {"nll", interval_json(r.nll)},
                           {"answer_ppl", number(r.answer_perplexity)},
                           {"vs_f16", change_json(r.vs_f16)},
                           {"tokens_sealed", r.tokens_sealed},
                           {"answers_exact", r.answers_exact},
                           {"cells", cells_json(r.cells)},
                           {"kv_bytes", kv_bytes_json(r.kv)},
                           {"saved_pct", r.kv.saved_pct()}});
    }
    return {{"task", task.info.name},           {"items", report.items},
            {"items_total", task.items.size()}, {"shots", task.shots},
            {"longest_prompt", report.longest}, {"tokens_scored", report.tokens_scored},
            {"results", std::move(results)}};
}

void print_json(const std::vector<FinishedTask>& finished, const EvalArgs& args) {
    Json tasks = Json::array();
    for (const auto& f : finished) tasks.push_back(task_json(f));
    write_json({{"model", args.model.path},
                {"file", args.options.file.empty() ? Json(nullptr) : Json(args.options.file)},
                {"seed", args.options.seed},
                {"exact", args.model.options.exact},
                {"tasks", std::move(tasks)}});
}

// ---- text

// "62.5 [47.0, 75.8]", or just the value if there are too few items for an interval.
std::string interval_text(const lab::Interval& i, double scale, int digits) {
    if (!std::isfinite(i.low)) return fmt::format("{:.{}f}", scale * i.value, digits);
    return fmt::format("{:.{}f} [{:.{}f}, {:.{}f}]", scale * i.value, digits, scale * i.low, digits,
                       scale * i.high, digits);
}
std::string change_text(const lab::Interval& i, double scale, int digits) {
    if (!std::isfinite(i.low)) return fmt::format("{:+.{}f}", scale * i.value, digits);
    return fmt::format("{:+.{}f} [{:+.{}f}, {:+.{}f}]", scale * i.value, digits, scale * i.low, digits,
                       scale * i.high, digits);
}

bool is_f16(const KvSpec& spec) { return spec == KvSpec::parse("f16"); }

std::string results_table(const FinishedTask& finished) {
    const bool words = finished.task.info.kind == lab::TaskKind::kLambada;
    lab::Table table{
        "",
        {{"cache"}, {"right, %  [95 %]"}, {"change  [95 %]"}, {"flips"}, {"nll/token"}, {"change  [95 %]"}}};
    if (words) table.columns.push_back({"word PPL"});
    table.columns.insert(table.columns.end(), {{"KV bytes"}, {"saved"}});
    for (const auto& r : finished.report.results) {
        std::string change = "-", flips = "-", nll_change = "-";
        if (r.vs_f16 && !is_f16(r.spec)) {
            change = change_text(r.vs_f16->right, 100, 1);
            flips = fmt::format("+{} -{}", r.vs_f16->gained, r.vs_f16->lost);
            nll_change = change_text(r.vs_f16->nll, 1, 4);
        }
        std::vector<std::string> cells{r.spec.name(), interval_text(r.share, 100, 1),     change,
                                       flips,         fmt::format("{:.4f}", r.nll.value), nll_change};
        if (words) cells.push_back(fmt::format("{:.3f}", r.answer_perplexity));
        cells.push_back(format_bytes(double(r.kv.bytes.total())));
        cells.push_back(fmt::format("{:.1f} %", r.kv.saved_pct()));
        table.rows.push_back({std::move(cells)});
    }
    return to_text(table);
}

// One line for each cache and context.
std::string cells_table(const lab::EvalReport& report) {
    if (report.results.empty() || report.results[0].cells.size() < 2) return "";
    lab::Table table{"", {{""}, {""}}};
    table.gap = 3;
    for (const auto& result : report.results) {
        int context = -1;
        for (const auto& cell : result.cells) {
            if (cell.context != context) {
                context = cell.context;
                table.rows.push_back({{result.spec.name(), fmt::format("{} tokens", format_count(context))}});
            }
            auto& cells = table.rows.back().cells;
            cells.push_back(fmt::format("{:g}: {}/{} {:.3f}", cell.depth, cell.right, cell.items, cell.nll));
            if (cells.size() > table.columns.size()) table.columns.push_back({""});
        }
    }
    return "\nright, and nll/token, by depth\n" + to_text(table);
}

// How much read sealed pages: one line per cache.
std::string sealed_text(const lab::EvalReport& report) {
    std::string out;
    for (const auto& r : report.results) {
        if (is_f16(r.spec)) continue;
        out += fmt::format("{}: {} of {} scored tokens read sealed pages", r.spec.name(),
                           format_count(r.tokens_sealed), format_count(report.tokens_scored));
        if (r.answers_exact > 0) {
            out += fmt::format("; {} of {} answers are in the part that is kept exact", r.answers_exact,
                               report.items);
        }
        out += "\n";
    }
    return out.empty() ? out : "\n" + out;
}

std::string task_text(const FinishedTask& finished) {
    const auto& [task, report] = finished;
    std::string out = fmt::format("{}: {} questions, prompts of up to {} tokens", task.info.name,
                                  format_count(report.items), format_count(report.longest));
    if (task.info.needs_file) out += fmt::format(", {} solved questions in front", task.shots);
    return out + "\n\n" + results_table(finished) + cells_table(report) + sealed_text(report);
}

void print_text(const std::vector<FinishedTask>& finished) {
    std::string out;
    for (const auto& f : finished) out += (out.empty() ? "" : "\n") + task_text(f);
    write_out(out);
}

// ---- the command

std::vector<const lab::TaskInfo*> chosen_tasks(const EvalArgs& args) {
    std::vector<const lab::TaskInfo*> tasks;
    for (const std::string& name : args.tasks) {
        const lab::TaskInfo* task = lab::find_task(name);
        if (!task) {
            std::string known;
            for (const auto& t : lab::known_tasks()) known += fmt::format(" {}", t.name);
            throw UsageError(fmt::format("--task {}: there is no such task; known are{}", name, known));
        }
        if (task->needs_file && args.options.file.empty()) {
            throw UsageError(fmt::format("--task {} needs its questions: --file FILE", name));
        }
        if (std::find(tasks.begin(), tasks.end(), task) != tasks.end()) {
            throw UsageError(fmt::format("--task {} is named twice", name));
        }
        tasks.push_back(task);
    }
    if (tasks.size() > 1 && !args.options.file.empty()) {
        throw UsageError("--file belongs to one task: name it with --task");
    }
    return tasks;
}

int print_list(bool json) {
    Json tasks = Json::array();
    std::string text;
    for (const auto& t : lab::known_tasks()) {
        tasks.push_back({{"task", t.name},
                         {"summary", t.summary},
                         {"needs_file", t.needs_file},
                         {"items", t.items},
                         {"context", t.context}});
        text += fmt::format("{:<10} {} (default: {} questions, {} tokens{})\n", t.name, t.summary, t.items,
                            format_count(t.context), t.needs_file ? "; needs --file" : "");
    }
    if (json) {
        write_json(tasks);
    } else {
        write_out(text);
    }
    return 0;
}

// "f16 62 %  k8v4 60 %": for the progress line.
std::string running(const lab::EvalReport& report) {
    std::string out;
    if (report.items == 0) return out;
    for (const auto& r : report.results)
        out += fmt::format("{} {:.0f} %  ", r.spec.name(), 100 * r.share.value);
    return out;
}

// Notes caches too short to differ from f16.
void note_what_is_not_measured(const FinishedTask& finished) {
    for (const auto& r : finished.report.results) {
        if (is_f16(r.spec) || r.tokens_sealed > 0) continue;
        note(
            "{}: no question reads a sealed page of {}, so it cannot differ from f16; give more --context or "
            "--shots",
            finished.task.info.name, r.spec.name());
    }
}

// Notes if the default prompt length is cut to the model's context.
void note_short_context(const lab::TaskInfo& info, const EvalArgs& args, const Model& model) {
    const int most = model.info().context_length;
    if (info.needs_file || !args.options.contexts.empty() || info.context <= most) return;
    note("{}: prompts of {} tokens instead of {}: the model was made for no more", info.name, most,
         info.context);
}

FinishedTask run(const std::shared_ptr<Model>& model, const lab::TaskInfo& info, const EvalArgs& args,
                 const std::vector<KvSpec>& specs, const InterruptGuard& interrupt) {
    FinishedTask finished;
    note_short_context(info, args, *model);
    {
        ProgressLine line(fmt::format("preparing {}", info.name));
        finished.task = lab::make_task(*model, info, args.options, [&](double fraction) {
            line.update(fraction);
            return !interrupt.raised();
        });
    }
    ProgressLine line(std::string(info.name));
    finished.report = lab::run_task(model, finished.task, specs, [&](const lab::EvalProgress& progress) {
        line.update(progress.fraction, running(progress.report));
        return !interrupt.raised();
    });
    return finished;
}

// Runs all tasks. A default task that does not fit into the model's context is left out with a note.
std::vector<FinishedTask> run_all(const std::shared_ptr<Model>& model,
                                  const std::vector<const lab::TaskInfo*>& tasks, const EvalArgs& args,
                                  const std::vector<KvSpec>& specs, const InterruptGuard& interrupt) {
    std::vector<FinishedTask> finished;
    std::exception_ptr refused;
    for (const lab::TaskInfo* info : tasks) {
        if (interrupt.raised()) break;
        try {
            auto task = run(model, *info, args, specs, interrupt);
            if (task.report.items > 0) finished.push_back(std::move(task));
        } catch (const Error& error) {
            const bool named = args.tasks_option->count() > 0 || !args.options.contexts.empty();
            if (named || error.code() != ErrorCode::kInvalidArgument) throw;
            refused = std::current_exception();
            note("{} is left out: {}", info->name, error.what());
        }
    }
    if (finished.empty() && refused) std::rethrow_exception(refused);
    return finished;
}

int eval(EvalArgs& args) {
    if (args.list) return print_list(args.json);
    if (args.model.path.empty()) throw UsageError("--model is required");
    const auto tasks = chosen_tasks(args);
    const auto specs = parse_kv_list(args.kv, args.kv_modifiers);
    if (!args.options.file.empty()) args.options.text = read_text(args.options.file);
    const auto& contexts = args.options.contexts;
    const auto model = args.model.load(specs, contexts.empty() ? 1 : std::ranges::max(contexts));
    const InterruptGuard interrupt;
    const auto finished = run_all(model, tasks, args, specs, interrupt);
    if (finished.empty()) {
        note("interrupted before any question was answered");
        return kInterruptedExitCode;
    }
    if (args.json) {
        print_json(finished, args);
    } else {
        print_text(finished);
    }
    for (const auto& f : finished) note_what_is_not_measured(f);
    if (!interrupt.raised()) return 0;
    note("interrupted: these are the figures of the questions answered so far");
    return kInterruptedExitCode;
}

void add_task_options(CLI::App& command, EvalArgs& args) {
    args.tasks_option = command.add_option("--task", args.tasks, "tasks, separated by commas; see --list")
                            ->delimiter(',')
                            ->type_name("LIST")
                            ->default_str("needle,passkey,copy");
    command
        .add_option("-f,--file", args.options.file,
                    "the questions of hellaswag or lambada; a text to hide things in for needle or passkey")
        ->type_name("FILE");
    command
        .add_option("--items", args.options.items, "use the first N questions for each context; 0: a default")
        ->check(in_range(0, 1 << 24))
        ->type_name("N");
    auto* context =
        command.add_option("-c,--context", args.options.contexts,
                           "tokens of a prompt, or several lengths; hellaswag, lambada: one length, filled "
                           "with solved questions in front, 0 for none");
    context->delimiter(',')->check(in_range(0, 1 << 24))->type_name("LIST");
    command
        .add_option("--depth", args.options.depths,
                    "where in the prompt the answer is, 0 to 1 (0.1,0.3,0.5,0.7,0.9)")
        ->delimiter(',')
        ->check(in_range(0.0, 1.0))
        ->type_name("LIST");
    command.add_option("--shots", args.options.shots, "hellaswag, lambada: put N solved questions in front")
        ->check(in_range(0, 1 << 20))
        ->type_name("N")
        ->excludes(context);
    command.add_option("--seed", args.options.seed, "seed of the generated questions")
        ->check(seed_fault)
        ->type_name("N")
        ->capture_default_str();
}

}  // namespace

void add_eval(CLI::App& app, int& exit_code) {
    const auto args = std::make_shared<EvalArgs>();
    CLI::App& command = *app.add_subcommand("eval", "measure what each cache precision costs on tasks");
    args->model.add(command);
    command.get_option("--model")->required(false);  // --list needs none
    add_task_options(command, *args);
    command.add_option("--kv", args->kv, "cache precisions, side by side; compared with f16 if that is one")
        ->type_name("LIST")
        ->capture_default_str();
    args->kv_modifiers.add(command);
    command.add_flag("--list", args->list, "list the tasks and their defaults");
    command.add_flag("--json", args->json, "print one JSON object instead of tables");
    command.footer(
        "An answer is right if greedy decoding would write it (hellaswag: if it is the likeliest of four).\n"
        "nll/token, its negative log-probability, shows differences too small to change an answer.\n"
        "Examples:\n"
        "  kvsplit eval -m model.gguf\n"
        "  kvsplit eval -m model.gguf --task needle -c 1024,4096 --depth 0.1,0.5,0.9 --kv f16,k8v4,k4v8\n"
        "  kvsplit eval -m model.gguf --task hellaswag -f hellaswag_val_full.txt --items 400 --exact --json");
    command.callback([args, &exit_code] { exit_code = eval(*args); });
}

}  // namespace kvsplit::cli
