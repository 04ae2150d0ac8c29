// kvsplit compare: measures what each cache precision costs in memory, speed and quality, and writes a
// report.
#include "lab/compare.h"

#include <algorithm>
#include <filesystem>

#include "base/cpu_features.h"
#include "base/default_threads.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/text_file.h"
#include "cli/version.h"
#include "lab/builtin_text.h"
#include "lab/report/files.h"
#include "lab/report/summary.h"
#include "lab/report/summary_tables.h"

namespace kvsplit::cli {
namespace {

struct CompareArgs {
    ModelArgs model;
    std::string folder, text, kv;
    std::vector<int> contexts;
    std::optional<int> quality_context, chunks, prefill, decode, repeats;
    bool quick = false, full = false, no_exact = false, resume = false, overwrite = false, json = false;

    lab::CompareSettings settings() const;
};

// Settings of the effort, unless an option overrides them.
lab::CompareSettings CompareArgs::settings() const {
    using lab::CompareEffort;
    const auto effort = quick ? CompareEffort::kQuick : full ? CompareEffort::kFull : CompareEffort::kNormal;
    auto s = lab::compare_settings(effort);
    s.specs = parse_kv_list(kv.empty() ? lab::compare_precisions(effort) : kv);
    s.exact = !no_exact;
    if (!contexts.empty()) s.contexts = contexts;
    s.quality_context = quality_context.value_or(s.quality_context);
    s.quality_chunks = chunks.value_or(s.quality_chunks);
    s.prefill_tokens = prefill.value_or(s.prefill_tokens);
    s.decode_tokens = decode.value_or(s.decode_tokens);
    s.repeats = repeats.value_or(s.repeats);
    return s;
}

std::string default_folder(const std::string& model) {
    auto name = std::filesystem::path(model).filename();
    if (name.extension() == ".gguf") name.replace_extension();
    return name.string() + "-compare";
}

lab::CompareSubject subject_of(const CompareArgs& args, const Model& model, std::string_view text) {
    lab::CompareSubject s;
    s.program = fmt::format("kvsplit {} ({})", version(), commit());
    s.machine.processor = cpu_model_name();
    s.machine.kernels = isa_name(choose_isa());
    s.machine.threads = model.threads();
    s.model = model.info();
    s.model_hash = lab::hash_file(args.model.path);
    s.text.name = args.text.empty() ? std::string(lab::kBuiltinTextName) : args.text;
    s.text.bytes = text.size();
    s.text.hash = lab::hash_text(text);
    return s;
}

// Keeps the model that the settings were fitted with for the first measurement.
class Loader {
  public:
    explicit Loader(const ModelArgs& args) : args_(args) {}

    std::shared_ptr<Model> load(bool exact) {
        if (kept_ && kept_->options().exact == exact) return std::exchange(kept_, nullptr);
        kept_.reset();
        ModelArgs args = args_;
        args.options.exact = exact;
        return args.load();
    }
    const std::shared_ptr<Model>& keep(bool exact) { return kept_ = load(exact); }

  private:
    const ModelArgs& args_;
    std::shared_ptr<Model> kept_;
};

std::string table(const lab::CompareResults& results) {
    const lab::Summary summary(results);
    std::string out = fmt::format("caches of {} tokens; divergence on {} chunks of {} tokens\n\n",
                                  format_count(summary.context), results.settings.quality_chunks,
                                  format_count(results.settings.quality_context));
    out +=
        to_text(overview_table(summary)) + "\ntokens per second\n\n" + to_text(speed_table(summary)) + "\n";
    for (const auto& sentence : advice(summary)) out += lab::ascii(sentence) + "\n";
    return out;
}

void refuse_to_overwrite(const CompareArgs& args, const lab::ReportFolder& folder) {
    if (args.resume || args.overwrite || !folder.has_results()) return;
    fail(ErrorCode::kInvalidArgument,
         "{} exists: --resume goes on from there, --overwrite starts anew, -o names another folder",
         folder.file("results.json"));
}

int compare(const CompareArgs& args) {
    lab::CompareResults results;
    results.settings = args.settings();
    const lab::ReportFolder folder(args.folder.empty() ? default_folder(args.model.path) : args.folder);
    refuse_to_overwrite(args, folder);
    const std::string given = args.text.empty() ? "" : read_measured_text(args.text);
    const std::string_view text = args.text.empty() ? lab::builtin_text() : given;
    const auto earlier =
        args.resume && folder.has_results() ? std::optional(folder.read_results()) : std::nullopt;

    Loader loader(args.model);
    {
        const auto& model = loader.keep(results.settings.exact);
        fit_settings(results, *model, text);
        results.subject = subject_of(args, *model, text);
    }
    if (earlier) read_measurements(*earlier, folder.file("results.json"), results);
    for (const auto& message : results.notes) note("{}", message);

    const InterruptGuard interrupt;
    ProgressLine line("comparing");
    lab::CompareHooks hooks;
    hooks.load = [&](bool exact) { return loader.load(exact); };
    hooks.save = [&](const lab::CompareResults& now) { folder.write_results(now); };
    hooks.progress = [&](double fraction, std::string_view doing) {
        line.update(fraction, doing);
        return !interrupt.raised();
    };
    const bool whole = run_compare(results, text, hooks);
    line.clear();

    // Print before writing files, which may fail.
    if (args.json) {
        write_json(to_json(results));
    } else {
        write_out(table(results));
    }
    folder.write_report(results);
    note("written: {}", folder.file("report.html"));
    if (whole) return 0;
    note("interrupted: the report holds what was measured; the same command with --resume goes on");
    return kInterruptedExitCode;
}

void add_measuring_options(CLI::App& command, CompareArgs& args) {
    const auto number = [&](const char* name, std::optional<int>& value, int least, const char* help) {
        command.add_option(name, value, help)->check(in_range(least, 1 << 24))->type_name("N");
    };
    command
        .add_option("--contexts", args.contexts, "tokens in the cache where memory and speed are measured")
        ->delimiter(',')
        ->check(in_range(1, 1 << 24))
        ->type_name("LIST");
    number("-c,--context", args.quality_context, 4, "for the divergence: tokens per chunk of the text");
    number("--chunks", args.chunks, 1, "for the divergence: use the first N chunks");
    number("-p,--prefill", args.prefill, 1, "for the speed: tokens evaluated together");
    number("-n,--decode", args.decode, 1, "for the speed: tokens evaluated one by one");
    number("-r,--repeats", args.repeats, 1, "for the speed: measurements of each");
    command.add_flag(
        "--no-exact", args.no_exact,
        "measure the divergence as in a normal run, with rounded activations: for models that are too "
        "large for 32-bit ones");
}

}  // namespace

void add_compare(CLI::App& app, int& exit_code) {
    const auto args = std::make_shared<CompareArgs>();
    CLI::App& command =
        *app.add_subcommand("compare", "measure what each cache precision costs, and write a report");
    args->model.add(command, ModelArgs::Exact::kDecidedByCommand);
    command.add_option("-o,--output", args->folder, "folder of the report (MODEL-compare)")->type_name("DIR");
    auto* quick =
        command.add_flag("--quick", args->quick, "about a minute instead of five, for a model of 135M");
    command
        .add_flag("--full", args->full, "longer text, more precisions, contexts up to 8,192, three repeats")
        ->excludes(quick);
    command.add_option("--kv", args->kv, "cache precisions, compared with f16")->type_name("LIST");
    command
        .add_option("-f,--file", args->text, "the text for the divergence; - reads standard input (built in)")
        ->type_name("FILE");
    add_measuring_options(command, *args);
    auto* resume = command.add_flag("--resume", args->resume, "go on from the results in the folder");
    command.add_flag("--overwrite", args->overwrite, "replace the results in the folder")->excludes(resume);
    command.add_flag("--json", args->json, "print one JSON object instead of a table");
    command.footer(
        "Writes report.html (one file, no network), results.json, results.csv and the pictures as SVG.\n"
        "Examples:\n"
        "  kvsplit compare -m model.gguf\n"
        "  kvsplit compare -m model.gguf --quick -o report\n"
        "  kvsplit compare -m model.gguf --full --resume\n"
        "  kvsplit compare -m model.gguf --kv k8v8,k8v4,k4v8 -f book.txt --contexts 2048,32768");
    command.callback([args, &exit_code] { exit_code = compare(*args); });
}

}  // namespace kvsplit::cli
