// kvsplit perplexity: what each precision of the cache costs on a text.
#include "lab/perplexity.h"

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_path.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/perplexity_report.h"
#include "cli/text_file.h"
#include "lab/exact_reach.h"
#include "lab/fitting_context.h"

namespace kvsplit::cli {
namespace {

struct PerplexityArgs {
    ModelArgs model;
    KvModifierArgs kv_modifiers;
    lab::PerplexityOptions options;
    std::string text, kv = "f16,k8v4,k5v4", base;
    const CLI::Option* context = nullptr;
    bool base_exact = false, no_floor = false, json = false;
};

// "f16 18.53  k8v4 18.54": the running figures, for the progress line.
std::string running(const lab::PerplexityReport& report) {
    std::string out;
    if (report.tokens_scored == 0) return out;
    for (const auto& r : report.results) out += fmt::format("{} {:.3f}  ", r.spec.name(), r.perplexity.value);
    return out;
}

// The model selected by --base and --base-exact; null without them.
std::shared_ptr<Model> load_base(const PerplexityArgs& args) {
    if (args.base.empty() && !args.base_exact) return nullptr;
    ModelArgs base = args.model;
    if (!args.base.empty()) base.path = local_model(args.base);
    base.options.exact |= args.base_exact;
    return base.load();
}

// Shortens the default chunk to what the models and the text allow.
void fit_context(PerplexityArgs& args, const Model& model, std::string_view text) {
    auto& options = args.options;
    if (args.context->count() > 0) return;
    const auto fitting =
        lab::fitting_context(model, options.base.get(), text, options.chunks, options.context);
    if (!fitting.why.empty())
        note("chunks of {} tokens instead of {}: {}", fitting.tokens, options.context, fitting.why);
    options.context = fitting.tokens;
}

// Notes caches too short to differ from f16.
void note_what_is_not_measured(const PerplexityArgs& args, const Model& model) {
    for (const KvSpec& spec : args.options.specs) {
        const lab::ExactReach reach(model, spec);
        if (reach.all_exact() || reach.reads_codes(args.options.context - 2)) continue;
        note("{}: no token of a chunk of {} reads a sealed page, so it cannot differ from f16", spec.name(),
             args.options.context);
    }
}

int perplexity(PerplexityArgs& args) {
    auto& options = args.options;
    options.specs = parse_kv_list(args.kv, args.kv_modifiers);
    options.floor = !args.model.options.exact && !args.no_floor;
    if (args.model.options.exact && args.base_exact && args.base.empty()) {
        throw UsageError(
            "--base-exact without --base compares with the exact arithmetic of --exact: leave one out");
    }
    const std::string text = read_measured_text(args.text);
    const auto model = args.model.load(options.specs, options.context);
    options.base = load_base(args);
    fit_context(args, *model, text);
    MeasuredRun run{args.model.path, args.text, "", options.context, model->options().activations()};
    run.cache_bytes = lab::measurement_cache_bytes(*model, options);
    if (options.base) {
        run.base = options.base->info().path;
        run.base_activation_bits = options.base->options().activations();
    }
    const InterruptGuard interrupt;
    ProgressLine line("measuring");
    const auto report =
        lab::measure_perplexity(model, text, options, [&](const lab::PerplexityProgress& progress) {
            line.update(progress.fraction, running(progress.report));
            return !interrupt.raised();
        });
    line.clear();
    if (report.tokens_scored == 0) {
        note("interrupted before any token was scored");
        return kInterruptedExitCode;
    }
    if (args.json) {
        write_json(perplexity_json(report, run));
    } else {
        write_out(perplexity_tables(report, run));
    }
    note_what_is_not_measured(args, *model);
    if (!interrupt.raised()) return 0;
    note("interrupted: these are the figures of the {} tokens scored", report.tokens_scored);
    return kInterruptedExitCode;
}

}  // namespace

void add_perplexity(CLI::App& app, int& exit_code) {
    const auto args = std::make_shared<PerplexityArgs>();
    CLI::App& command =
        *app.add_subcommand("perplexity", "measure what each cache precision costs on a text");
    args->model.add(command);
    command.add_option("-f,--file", args->text, "the text; - reads standard input")
        ->required()
        ->type_name("FILE");
    args->context = command.add_option("-c,--context", args->options.context, "tokens per chunk")
                        ->check(in_range(4, 1 << 24))
                        ->type_name("N")
                        ->capture_default_str();
    command.add_option("--chunks", args->options.chunks, "use the first N chunks; 0: all of the text")
        ->check(in_range(0, 1 << 24))
        ->type_name("N");
    command.add_option("-b,--batch", args->options.batch, "tokens evaluated at a time")
        ->check(in_range(1, 1 << 24))
        ->type_name("N")
        ->capture_default_str();
    command.add_option("--kv", args->kv, "cache precisions, side by side; compared with f16 if that is one")
        ->type_name("LIST")
        ->capture_default_str();
    args->kv_modifiers.add(command);
    command.add_flag("--no-floor", args->no_floor,
                     "do not measure the noise floor, which takes another pass over the text");
    command.add_option("--base", args->base, "also compare with other weights of the same model")
        ->type_name("FILE");
    command.add_flag("--base-exact", args->base_exact,
                     "also compare with exact arithmetic, on the weights of --base or else the model's own");
    command.add_flag("--json", args->json, "print one JSON object instead of a table");
    command.footer(
        "Scores the second half of each chunk, as llama.cpp's llama-perplexity does. Figures marked ~ are "
        "not\n"
        "above the noise that rounding activations makes, which --activations 8 shows.\n"
        "Examples:\n"
        "  kvsplit perplexity -m model.gguf -f wiki.test.raw -c 2048 --chunks 16\n"
        "  kvsplit perplexity -m model.gguf -f book.txt --kv f16,k8v8,k8v4,k4v8,k4v4 --exact --json\n"
        "  kvsplit perplexity -m model.Q4_K_M.gguf --base model.Q8_0.gguf -f book.txt --kv f16,k8v4");
    command.callback([args, &exit_code] { exit_code = perplexity(*args); });
}

}  // namespace kvsplit::cli
