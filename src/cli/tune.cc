// kvsplit tune: the best precision of each layer, within a size or a divergence, as a profile for --kv @FILE.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/text_file.h"
#include "lab/builtin_text.h"
#include "lab/exact_reach.h"
#include "lab/fitting_context.h"
#include "lab/report/table.h"
#include "lab/tuning.h"

namespace kvsplit::cli {
namespace {

struct TuneArgs {
    ModelArgs model;
    lab::TuneOptions options;
    std::string text, check_text, out;
    const CLI::Option* context = nullptr;
    bool json = false;
};

// Splits off a third of the text to check on, if the user gives none.
void choose_texts(TuneArgs& args, std::string& text, std::string& check) {
    if (!args.text.empty()) text = read_measured_text(args.text);
    if (!args.check_text.empty()) check = read_measured_text(args.check_text);
    const std::string_view whole = args.text.empty() ? lab::builtin_text() : std::string_view(text);
    const std::size_t cut = args.check_text.empty() ? whole.rfind('\n', whole.size() * 2 / 3) : whole.size();
    args.options.text = whole.substr(0, cut);
    args.options.check_text = args.check_text.empty() ? whole.substr(std::min(cut, whole.size())) : check;
}

// Shortens the default chunk to what the model and the texts allow.
void fit_context(TuneArgs& args, const Model& model) {
    auto& o = args.options;
    if (args.context->count() > 0) return;
    auto fitting = lab::fitting_context(model, nullptr, o.text, o.chunks, o.context);
    const auto of_check = lab::fitting_context(model, nullptr, o.check_text, o.check_chunks, fitting.tokens);
    if (!of_check.why.empty()) fitting = of_check;
    if (!fitting.why.empty())
        note("chunks of {} tokens instead of {}: {}", fitting.tokens, o.context, fitting.why);
    o.context = fitting.tokens;
    if (!lab::ExactReach(model, KvSpec{}).reads_codes(o.context - 2))
        note(
            "no token of a chunk of {} reads a sealed page: every precision is exact there, and the choice "
            "says "
            "nothing about longer texts; f16 costs little for so few tokens",
            o.context);
}

std::string profile(const lab::TuneReport& report, const TuneArgs& args) {
    const lab::Choice& best = report.best();
    const auto& measured = report.layered_is_better() ? report.layered_measured : report.uniform_measured;
    return fmt::format(
        "# kvsplit tune, {}: {:.2f} bits per element, mean KL divergence from f16 {:.6f} +- {:.6f}\n"
        "# on {} tokens of a text that it was not tuned on ({})\n{}\n",
        args.model.path, best.bits_per_element, measured.kld_mean, measured.kld_stderr, report.tokens_checked,
        args.check_text.empty() ? (args.text.empty() ? std::string(lab::kBuiltinTextName) : args.text)
                                : args.check_text,
        best.spec.name());
}

void write_profile(const std::string& path, const std::string& text) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"), std::fclose);
    if (!file || std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() ||
        std::fflush(file.get()) != 0) {
        fail(ErrorCode::kIo, "{}: cannot write: {}", path, errno_text(errno));
    }
}

// Checks the output now rather than after minutes of measuring.
void require_writable(const std::string& path) {
    std::error_code unreadable;  // access() reports it with a reason
    if (std::filesystem::is_directory(path, unreadable)) fail(ErrorCode::kIo, "{}: is a directory", path);
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    const std::string there = folder.empty() ? "." : folder.string();
    const char* written = std::filesystem::exists(path, unreadable) ? path.c_str() : there.c_str();
    if (::access(written, W_OK) != 0) fail(ErrorCode::kIo, "{}: cannot write: {}", path, errno_text(errno));
}

std::string layers_text(const lab::TuneReport& report) {
    lab::Table table{"", {{"layer"}, {"cost of 4-bit keys"}, {"of 4-bit values"}, {"widths"}}};
    const int n = static_cast<int>(report.costs.key.size());
    for (int l = 0; l < n; ++l) {
        const KvWidths w = report.layered.spec.widths(l, n);
        const auto i = static_cast<std::size_t>(l);
        table.rows.push_back({{fmt::format("{:>5}", l), fmt::format("{:.6f}", report.costs.key[i]),
                               fmt::format("{:.6f}", report.costs.value[i]),
                               fmt::format("k{}v{}", w.key_bits, w.value_bits)}});
    }
    return to_text(table);
}

void add_choice(lab::Table& table, const char* label, const lab::Choice& c, const lab::Divergence& measured) {
    table.rows.push_back({{label, fmt::format("{:.2f} bits", c.bits_per_element),
                           fmt::format("expected {:.6f}", c.expected_kld),
                           fmt::format("measured {:.6f} +- {:.6f}", measured.kld_mean, measured.kld_stderr),
                           fmt::format("99.9 % {:.4f}", measured.kld_p999), c.spec.name()}});
}

std::string summary(const lab::TuneReport& report) {
    lab::Table choices{"", {{""}, {""}, {""}, {""}, {""}, {"", false, true}}};
    choices.gap = 3;
    add_choice(choices, "by layer", report.layered, report.layered_measured);
    add_choice(choices, "uniform", report.uniform, report.uniform_measured);
    const std::string out =
        layers_text(report) + "\nmean KL divergence from f16, in nats a token:\n" + to_text(choices);
    if (report.layered_is_better()) {
        return out +
               "Widths by layer are better than any one pair of this size, on text they were not tuned on.\n";
    }
    return out +
           "One pair for all layers is as good: widths by layer gain nothing beyond chance on this model.\n";
}

Json choice_json(const lab::Choice& c, const lab::Divergence& measured) {
    return {{"kv", c.spec.name()},
            {"bits_per_element", c.bits_per_element},
            {"expected_kld", c.expected_kld},
            {"kld_mean", measured.kld_mean},
            {"kld_stderr", measured.kld_stderr},
            {"kld_p999", measured.kld_p999}};
}

Json to_json(const lab::TuneReport& report, const TuneArgs& args) {
    return {{"model", args.model.path},
            {"best", report.best().spec.name()},
            {"by_layer_is_better", report.layered_is_better()},
            {"tokens_checked", report.tokens_checked},
            {"by_layer", choice_json(report.layered, report.layered_measured)},
            {"uniform", choice_json(report.uniform, report.uniform_measured)},
            {"layer_costs", {{"key", report.costs.key}, {"value", report.costs.value}}}};
}

// Prints only the profile if it goes to standard output. If it cannot be written, prints it at least.
void print(const lab::TuneReport& report, const TuneArgs& args) {
    if (args.out == "-") {
        write_err(summary(report));
        write_out(profile(report, args));
        return;
    }
    if (args.json) {
        write_json(to_json(report, args));
    } else {
        write_out(summary(report));
    }
    const std::string spec = report.best().spec.name();
    try {
        if (!args.out.empty()) write_profile(args.out, profile(report, args));
    } catch (const Error&) {
        if (!args.json) write_out(fmt::format("\n--kv {}\n", spec));
        throw;
    }
    if (!args.json) write_out(fmt::format("\n--kv {}\n", args.out.empty() ? spec : "@" + args.out));
}

int tune(TuneArgs& args) {
    const bool to_stdout = args.out == "-";
    if (to_stdout && args.json)
        throw UsageError("-o - and --json both write to standard output: leave one out");
    if (!args.out.empty() && !to_stdout) require_writable(args.out);
    std::string text, check;
    choose_texts(args, text, check);
    const auto model = args.model.load();
    fit_context(args, *model);
    if (!args.model.options.exact) {
        note(
            "--exact keeps the rounding of activations out of the layers' costs: slower, and better for "
            "small models");
    }
    const InterruptGuard interrupt;
    lab::TuneReport report;
    try {
        ProgressLine line("tuning");
        report = lab::tune(model, args.options, [&](double fraction) {
            line.update(fraction);
            return !interrupt.raised();
        });
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kCancelled) throw;
        note("interrupted: nothing was chosen");
        return kInterruptedExitCode;
    }
    print(report, args);
    return 0;
}

}  // namespace

void add_tune(CLI::App& app, int& exit_code) {
    const auto args = std::make_shared<TuneArgs>();
    auto& o = args->options;
    CLI::App& command = *app.add_subcommand("tune", "find the best precision of each layer");
    args->model.add(command);
    auto* bits =
        command.add_option("--budget", o.max_bits,
                           "most bits per element of the cache, mean of keys and values, scales included");
    bits->check(in_range(2.5, 16.0))->type_name("BITS");
    command.add_option("--max-kld", o.max_kld, "most divergence from the f16 cache, in nats a token")
        ->check(in_range(1e-6, 10.0))
        ->excludes(bits)
        ->type_name("X")
        ->capture_default_str();
    command.add_option("-f,--file", args->text, "text to tune on; default: built in")->type_name("FILE");
    command
        .add_option("--check", args->check_text,
                    "text to check on; default: the last third of the text, left out of tuning")
        ->type_name("FILE");
    args->context = command.add_option("-c,--context", o.context, "tokens per chunk")
                        ->check(in_range(256, 1 << 24))
                        ->type_name("N")
                        ->capture_default_str();
    command.add_option("--chunks", o.chunks, "chunks to tune on")
        ->check(in_range(1, 1 << 20))
        ->type_name("N")
        ->capture_default_str();
    command.add_option("--check-chunks", o.check_chunks, "chunks to check on")
        ->check(in_range(1, 1 << 20))
        ->type_name("N")
        ->capture_default_str();
    command
        .add_option("-o,--output", args->out,
                    "write the profile to this file, for --kv @FILE; -: standard output")
        ->type_name("FILE");
    command.add_flag("--json", args->json, "print one JSON object instead of a table");
    command.footer(
        "Measures each layer's keys and values alone, chooses, and checks the choice against the best "
        "single\n"
        "pair of widths of the same size on text that it was not tuned on.\n"
        "Examples:\n"
        "  kvsplit tune -m model.gguf --exact -o model.kv\n"
        "  kvsplit run -m model.gguf --kv @model.kv -p 'Why is the sky blue?'\n"
        "  kvsplit tune -m model.gguf --budget 3.5 --exact --json");
    command.callback([args, &exit_code] { exit_code = tune(*args); });
}

}  // namespace kvsplit::cli
