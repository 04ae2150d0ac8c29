// kvsplit perplexity: what each precision of the cache costs on a text.
#include "lab/perplexity.h"

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"

namespace kvsplit::cli {
namespace {

struct PerplexityArgs {
    ModelArgs model;
    lab::PerplexityOptions options;
    std::string text, kv = "f16,k8v4";
    bool json = false;
};

Json to_json(const lab::PerplexityReport& report, const PerplexityArgs& args) {
    Json results = Json::array();
    for (const auto& r : report.results) {
        results.push_back({{"kv", r.spec.name()},
                           {"ppl", r.perplexity.value},
                           {"ppl_stderr", r.perplexity.stderr_},
                           {"vs_f16", lab::divergence_json(r.vs_f16)},
                           {"bits_per_element",
                            {{"key", r.kv.key_bits_per_element}, {"value", r.kv.value_bits_per_element}}},
                           {"kv_bytes", kv_bytes_json(r.kv)},
                           {"saved_pct", r.kv.saved_pct()}});
    }
    return {{"model", args.model.path},
            {"text", args.text},
            {"context", args.options.context},
            {"chunks", report.chunks},
            {"tokens_scored", report.tokens_scored},
            {"results", std::move(results)}};
}

std::string table(const lab::PerplexityReport& report, const PerplexityArgs& args) {
    std::string out = fmt::format("{} chunk{} of {} tokens, {} tokens scored per cache\n\n", report.chunks,
                                  report.chunks == 1 ? "" : "s", format_count(args.options.context),
                                  format_count(static_cast<long long>(report.tokens_scored)));
    out +=
        fmt::format("{:<8} {:>8} {:>8}  {:>17}  {:>9} {:>9} {:>9} {:>9}  {:>8}  {:>5} {:>5}  {:>9} {:>7}\n",
                    "cache", "PPL", "+-", "PPL change, %", "KLD mean", "median", "99 %", "99.9 %", "same top",
                    "key b", "val b", "KV bytes", "saved");
    for (const auto& r : report.results) {
        out +=
            fmt::format("{:<8} {:>8.4f} {:>8.4f}  ", r.spec.name(), r.perplexity.value, r.perplexity.stderr_);
        if (r.vs_f16 && r.spec != KvSpec{16, 16}) {
            const auto& d = *r.vs_f16;
            const auto change = fmt::format("{:+.3f} +- {:.3f}", d.ppl_change_pct, d.ppl_change_stderr_pct);
            out += fmt::format("{:>17}  {:>9.6f} {:>9.6f} {:>9.6f} {:>9.6f}  {:>6.2f} %  ", change,
                               d.kld_mean, d.kld_median, d.kld_p99, d.kld_p999, 100 * d.top1_agreement);
        } else {
            out += fmt::format("{:>17}  {:>9} {:>9} {:>9} {:>9}  {:>8}  ", "-", "-", "-", "-", "-", "-");
        }
        out += fmt::format("{:>5.2f} {:>5.2f}  {:>9} {:>5.1f} %\n", r.kv.key_bits_per_element,
                           r.kv.value_bits_per_element, format_bytes(double(r.kv.bytes.total())),
                           r.kv.saved_pct());
    }
    return out;
}

// "f16 18.53  k8v4 18.54": the running figures, for the progress line.
std::string running(const lab::PerplexityReport& report) {
    std::string out;
    if (report.tokens_scored == 0) return out;
    for (const auto& r : report.results) out += fmt::format("{} {:.3f}  ", r.spec.name(), r.perplexity.value);
    return out;
}

int perplexity(PerplexityArgs& args) {
    args.options.specs = parse_kv_list(args.kv);
    const std::string text = read_text(args.text);
    const auto model = args.model.load();
    const InterruptGuard interrupt;
    ProgressLine line("measuring");
    const auto report =
        lab::measure_perplexity(model, text, args.options, [&](const lab::PerplexityProgress& progress) {
            line.update(progress.fraction, running(progress.report));
            return !interrupt.raised();
        });
    line.clear();
    if (report.tokens_scored == 0) {
        note("interrupted before any token was scored");
        return kInterruptedExitCode;
    }
    if (args.json) {
        write_json(to_json(report, args));
    } else {
        write_out(table(report, args));
    }
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
    command.add_option("-c,--context", args->options.context, "tokens per chunk")
        ->check(CLI::Range(4, 1 << 24))
        ->type_name("N")
        ->capture_default_str();
    command.add_option("--chunks", args->options.chunks, "the first so many chunks; 0: all of the text")
        ->check(CLI::Range(0, 1 << 24))
        ->type_name("N");
    command.add_option("-b,--batch", args->options.batch, "tokens evaluated at a time")
        ->check(CLI::Range(1, 1 << 24))
        ->type_name("N")
        ->capture_default_str();
    command.add_option("--kv", args->kv, "cache precisions, side by side; compared with f16 if that is one")
        ->type_name("LIST")
        ->capture_default_str();
    command.add_flag("--json", args->json, "print one JSON object instead of a table");
    command.footer(
        "Scores the second half of each chunk, as llama.cpp's llama-perplexity does.\n"
        "Examples:\n"
        "  kvsplit perplexity -m model.gguf -f wiki.test.raw -c 2048 --chunks 16\n"
        "  kvsplit perplexity -m model.gguf -f book.txt --kv f16,k8v8,k8v4,k4v8,k4v4 --exact --json");
    command.callback([args, &exit_code] { exit_code = perplexity(*args); });
}

}  // namespace kvsplit::cli
