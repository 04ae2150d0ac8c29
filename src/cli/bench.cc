// kvsplit bench: a model's speed with each cache precision, at each depth.
#include <algorithm>
#include <utility>

#include "base/cpu_features.h"
#include "base/default_threads.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"
#include "engine/cache_probe.h"
#include "lab/report/table.h"
#include "lab/speed.h"

namespace kvsplit::cli {
namespace {

using lab::SpeedResult;

struct BenchArgs {
    ModelArgs model;
    KvModifierArgs kv_modifiers;
    lab::SpeedOptions options;
    std::string kv = "f16,k8v8,k8v4";
    const CLI::Option *prefill = nullptr, *decode = nullptr;
    bool json = false, csv = false;

    int threads() const { return model.options.threads > 0 ? model.options.threads : default_threads(); }
};

std::string_view name_of(SpeedResult::Test test) {
    return test == SpeedResult::Test::kPrefill ? "prefill" : "decode";
}

// Share of the memory's speed; 0 if not measured.
double read_share(const SpeedResult& r, const lab::SpeedReport& report) {
    return report.read_gb_per_s > 0 ? r.kv_gb_per_s / report.read_gb_per_s : 0;
}

Json to_json(const lab::SpeedReport& report, const BenchArgs& args) {
    Json results = Json::array();
    for (const auto& r : report.results) {
        Json result = lab::speed_json(r);
        const bool reads = r.test == SpeedResult::Test::kDecode;
        result["read_share"] = reads ? Json(read_share(r, report)) : Json(nullptr);
        result["kv_bytes"] = kv_bytes_json(r.kv);
        results.push_back(std::move(result));
    }
    return {{"model", args.model.path},
            {"threads", args.threads()},
            {"cpu", cpu_model_name()},
            {"kernels", isa_name(choose_isa())},
            {"activation_bits", args.model.options.activations()},
            {"fill", args.options.fast_fill ? "random" : "evaluated"},
            {"repeats", args.options.repeats},
            {"read_gb_per_s", report.read_gb_per_s},
            {"peak_rss", report.peak_rss},
            {"results", std::move(results)}};
}

std::string csv(const lab::SpeedReport& report, const BenchArgs& args) {
    std::string out =
        "kv,test,tokens,depth,threads,fill,tokens_per_s,stddev,kv_bytes_per_token,kv_gb_per_s,read_share,"
        "kv_bytes\n";
    for (const auto& r : report.results) {
        out += fmt::format("{},{},{},{},{},{},{:.6g},{:.6g},", r.spec.name(), name_of(r.test), r.tokens,
                           r.depth, args.threads(), args.options.fast_fill ? "random" : "evaluated",
                           r.tokens_per_s, r.stddev);
        if (r.test == SpeedResult::Test::kDecode) {
            out += fmt::format("{:.0f},{:.6g},{:.6g}", r.kv_bytes_per_token, r.kv_gb_per_s,
                               read_share(r, report));
        } else {
            out += ",,";
        }
        out += fmt::format(",{}\n", r.kv.bytes.total());
    }
    return out;
}

std::string header(const lab::SpeedReport& report, const BenchArgs& args) {
    const auto& o = args.options;
    return fmt::format(
        "{}, {} kernels, {} thread{}; {}\n"
        "medians of {}; cache filled by {}; a plain loop reads {:.1f} GB/s; peak memory {}\n\n",
        cpu_model_name(), isa_name(choose_isa()), args.threads(), args.threads() == 1 ? "" : "s",
        args.model.path, o.repeats,
        o.fast_fill ? "random keys and values (--fast-fill)" : "evaluating random tokens",
        report.read_gb_per_s, report.peak_rss ? format_bytes(double(report.peak_rss)) : "unknown");
}

// One line for each cache and depth, prefill beside decode.
std::string speed_table(const lab::SpeedReport& report, const BenchArgs& args) {
    const auto& o = args.options;
    lab::Table table{"",
                     {{"cache"},
                      {"depth"},
                      {fmt::format("prefill {}, tok/s", o.prefill_tokens)},
                      {fmt::format("decode {}, tok/s", o.decode_tokens)},
                      {"KV read/token"},
                      {"GB/s"},
                      {"of memory"}}};
    for (std::size_t i = 0; i < report.results.size();) {
        const auto& first = report.results[i];
        std::string prefill = "-", decode = "-", read = "-", speed = "-", share = "-";
        for (; i < report.results.size(); ++i) {
            const auto& r = report.results[i];
            if (r.depth != first.depth || (&r != &first && r.test == first.test)) break;
            const bool is_decode = r.test == SpeedResult::Test::kDecode;
            // A single measurement has no deviation.
            (is_decode ? decode : prefill) = o.repeats > 1
                                                 ? fmt::format("{:.1f} +- {:.1f}", r.tokens_per_s, r.stddev)
                                                 : fmt::format("{:.1f}", r.tokens_per_s);
            if (!is_decode) continue;
            read = format_bytes(r.kv_bytes_per_token);
            speed = fmt::format("{:.2f}", r.kv_gb_per_s);
            if (report.read_gb_per_s > 0) share = fmt::format("{:.1f} %", 100 * read_share(r, report));
        }
        table.rows.push_back(
            {{first.spec.name(), format_count(first.depth), prefill, decode, read, speed, share}});
    }
    return to_text(table);
}

// The longest context of the tests.
int longest(const lab::SpeedOptions& o) {
    return *std::max_element(o.depths.begin(), o.depths.end()) + std::max(o.prefill_tokens, o.decode_tokens);
}

// Shortens default tests to the model's learned positions.
void fit_tests(BenchArgs& args, const Model& model) {
    lab::SpeedOptions& o = args.options;
    const int positions = known_positions(model);
    const int room = positions - std::ranges::max(o.depths);
    if (positions == 0 || room < 1) return;
    for (const auto& [option, tokens] :
         {std::pair{args.prefill, &o.prefill_tokens}, {args.decode, &o.decode_tokens}}) {
        if (option->count() > 0 || *tokens <= room) continue;
        note("{} {} instead of {}: the model knows {} positions", option->get_name(), room, *tokens,
             positions);
        *tokens = room;
    }
}

// Speed does not depend on the trained context, so only notes exceeding it.
void note_long_contexts(const BenchArgs& args, const Model& model) {
    const int end = longest(args.options);
    if (end <= model.info().context_length) return;
    note("the tests go up to {} tokens, the model was made for {}: the speed is real, a text would not be",
         format_count(end), format_count(model.info().context_length));
}

int bench(BenchArgs& args) {
    args.options.specs = parse_kv_list(args.kv, args.kv_modifiers);
    if (args.options.prefill_tokens + args.options.decode_tokens == 0) {
        throw UsageError("-p 0 -n 0: there is nothing to measure");
    }
    const auto model = args.model.load(args.options.specs, longest(args.options));
    fit_tests(args, *model);
    note_long_contexts(args, *model);
    const InterruptGuard interrupt;
    ProgressLine line("measuring");
    const auto report =
        lab::measure_speed(model, args.options, [&](double fraction, const lab::SpeedReport& so_far) {
            std::string last;
            if (!so_far.results.empty()) {
                const auto& r = so_far.results.back();
                last = fmt::format("{} {} at {}: {:.1f} tokens/s", r.spec.name(), name_of(r.test), r.depth,
                                   r.tokens_per_s);
            }
            line.update(fraction, last);
            return !interrupt.raised();
        });
    line.clear();
    if (report.results.empty()) {
        note("interrupted before anything was measured");
        return kInterruptedExitCode;
    }
    if (args.json) {
        write_json(to_json(report, args));
    } else {
        write_out(args.csv ? csv(report, args) : header(report, args) + speed_table(report, args));
    }
    if (!interrupt.raised()) return 0;
    note("interrupted: these are the figures of the measurements done");
    return kInterruptedExitCode;
}

}  // namespace

void add_bench(CLI::App& app, int& exit_code) {
    const auto args = std::make_shared<BenchArgs>();
    auto& o = args->options;
    CLI::App& command =
        *app.add_subcommand("bench", "measure the speed of each cache precision, at any depth");
    args->model.add(command);
    command.add_option("--kv", args->kv, "cache precisions, measured in turns")
        ->type_name("LIST")
        ->capture_default_str();
    args->kv_modifiers.add(command);
    args->prefill =
        command.add_option("-p,--prefill", o.prefill_tokens, "tokens evaluated together; 0: leave out")
            ->check(in_range(0, 1 << 20))
            ->type_name("N")
            ->capture_default_str();
    args->decode =
        command.add_option("-n,--decode", o.decode_tokens, "tokens evaluated one by one; 0: leave out")
            ->check(in_range(0, 1 << 20))
            ->type_name("N")
            ->capture_default_str();
    command.add_option("-d,--depth", o.depths, "tokens in the cache where the tests begin")
        ->delimiter(',')
        ->check(in_range(0, 1 << 24))
        ->type_name("LIST")
        ->default_str("0");
    command.add_option("-r,--repeats", o.repeats, "measurements of each; the median is reported")
        ->check(in_range(1, 1000))
        ->type_name("N")
        ->capture_default_str();
    command.add_flag("--fast-fill", o.fast_fill,
                     "fill the cache with random keys and values: for depths that take long to evaluate");
    auto* json = command.add_flag("--json", args->json, "print one JSON object instead of a table");
    command.add_flag("--csv", args->csv, "print comma-separated values instead of a table")->excludes(json);
    command.footer(
        "The precisions take turns, so a machine that slows down affects all of them.\n"
        "Examples:\n"
        "  kvsplit bench -m model.gguf\n"
        "  kvsplit bench -m model.gguf --kv f16,k8v8,k8v4,k4v4 -d 0,2048,7936 -r 5\n"
        "  kvsplit bench -m model.gguf --kv f16,k8v4 -p 0 -d 131072 --fast-fill --json");
    command.callback([args, &exit_code] { exit_code = bench(*args); });
}

}  // namespace kvsplit::cli
