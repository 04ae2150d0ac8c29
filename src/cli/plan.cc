// kvsplit plan: what fits into memory at each precision of the cache.
#include "lab/plan.h"

#include <algorithm>

#include "base/memory.h"
#include "base/printable.h"
#include "cli/byte_size.h"
#include "cli/commands.h"
#include "cli/model_path.h"
#include "cli/options.h"
#include "cli/output.h"
#include "lab/report/table.h"

namespace kvsplit::cli {
namespace {

using lab::LayerKind;
using lab::Plan;
using lab::PlanResult;

struct PlanArgs {
    std::string path, memory, kv = "f16,k8v8,k8v4,k6v4,k5v4,k4v4,k4v3,k4v2,k3v2,k2v2";
    lab::PlanOptions options;
    bool json = false;
};

std::string kind_name(const LayerKind& kind) {
    return kind.window > 0 ? fmt::format("window of {}", format_count(kind.window)) : "full attention";
}

bool beyond_trained(const PlanResult& r, const Plan& plan) { return r.context > plan.model.context_length; }

Json result_json(const PlanResult& r, const Plan& plan) {
    if (!r.refusal.empty()) return {{"kv", r.spec.name()}, {"error", r.refusal}};
    return {
        {"kv", r.spec.name()},
        {"context", r.context},
        {"at_least", r.capped},
        {"beyond_trained", beyond_trained(r, plan)},
        {"times_f16", r.times_f16 ? Json(*r.times_f16) : Json(nullptr)},
        {"fits", r.fits},
        {"bits_per_element", {{"key", r.kv.key_bits_per_element}, {"value", r.kv.value_bits_per_element}}},
        {"kv_bytes", kv_bytes_json(r.kv)},
        {"kv_bytes_by_kind", r.kind_bytes},
        {"bytes_per_token", r.bytes_per_token},
        {"working_bytes", r.working},
        {"total_bytes", r.total}};
}

Json to_json(const Plan& plan, const PlanArgs& args) {
    Json kinds = Json::array(), results = Json::array();
    for (const LayerKind& kind : plan.kinds) {
        kinds.push_back({{"window", kind.window}, {"layers", kind.layers}});
    }
    for (const PlanResult& r : plan.results) results.push_back(result_json(r, plan));
    return {{"model", args.path},
            {"memory_bytes", plan.memory},
            {"memory_from", args.memory.empty() ? "available" : "given"},
            {"program_bytes", plan.program},
            {"weight_bytes", plan.weights},
            {"trained_context", plan.model.context_length},
            {"heads", plan.model.n_heads},
            {"kv_heads", plan.model.n_kv_heads},
            {"layer_kinds", std::move(kinds)},
            {"reading_layers",
             plan.model.n_recurrent_layers > 0 ? 0 : plan.model.n_layers - plan.model.n_cache_layers},
            {"recurrent_layers", plan.model.n_recurrent_layers},
            {"recurrent_bytes", plan.model.recurrent_bytes},
            {"results", std::move(results)}};
}

std::string facts(const Plan& plan, const PlanArgs& args) {
    const ModelInfo& i = plan.model;
    std::string layers;
    for (const LayerKind& kind : plan.kinds) {
        layers += fmt::format("{}{} with {}{}", layers.empty() ? "" : ", ", kind.layers,
                              kind.window > 0 ? "a " : "", kind_name(kind));
    }
    if (i.n_recurrent_layers > 0)
        layers += fmt::format(", {} with a state: {}", i.n_recurrent_layers,
                              format_bytes(double(i.recurrent_bytes)));
    if (i.n_recurrent_layers == 0 && i.n_cache_layers < i.n_layers)
        layers += fmt::format(", {} that read theirs", i.n_layers - i.n_cache_layers);
    const auto by_working = [](const PlanResult& a, const PlanResult& b) { return a.working < b.working; };
    const auto [least, most] = std::minmax_element(plan.results.begin(), plan.results.end(), by_working);
    std::string working = format_bytes(double(most->working));
    if (const std::string low = format_bytes(double(least->working)); low != working)
        working = fmt::format("{} to {}", low, working);
    std::string out;
    const auto line = [&](std::string_view label, const std::string& value) {
        out += fmt::format("{:<16}{}\n", label, value);
    };
    line("model", fmt::format("{}, {}", printable(i.name.empty() ? args.path : i.name), i.weight_type));
    line("layers", layers);
    line("heads", i.latent_dim > 0 ? fmt::format("{} for queries, which share {}", i.n_heads, latent_text(i))
                                   : fmt::format("{} for queries, which share {} for keys and values",
                                                 i.n_heads, i.n_kv_heads));
    line("memory", fmt::format("{}{}", format_bytes(double(plan.memory)),
                               args.memory.empty() ? ", free now" : ", as asked for"));
    line("  weights", format_bytes(double(plan.weights)));
    line("  working", fmt::format("{}, for batches of 512 tokens", working));
    line("  program", fmt::format("{}, with vocabulary and metadata", format_bytes(double(plan.program))));
    return out;
}

std::string context_text(const PlanResult& r, const Plan& plan) {
    return fmt::format("{}{}{}", r.capped ? ">" : "", format_count(r.context),
                       beyond_trained(r, plan) ? "*" : " ");
}

// One row per cache: its total and, with several kinds of layers, each kind's part.
std::string caches_table(const Plan& plan, const PlanArgs& args) {
    const bool kinds = plan.kinds.size() > 1;
    lab::Table table{"", {{"cache"}, {"bits k, v"}, {"context "}}};
    table.columns.push_back({args.options.context > 0 ? "smaller" : "of f16"});
    table.columns.push_back({"cache"});
    for (const LayerKind& kind : plan.kinds) {
        if (kinds) table.columns.push_back({kind_name(kind)});
    }
    table.columns.insert(table.columns.end(), {{"token more"}, {"in all"}});
    for (const PlanResult& r : plan.results) {
        if (!r.refusal.empty()) {
            table.rows.push_back({{r.spec.name()}, false, "not possible: " + r.refusal});
            continue;
        }
        std::vector<std::string> cells{
            r.spec.name(),
            fmt::format("{:.2f}, {:.2f}", r.kv.key_bits_per_element, r.kv.value_bits_per_element),
            context_text(r, plan),
            r.times_f16 ? fmt::format("{}{:.2f}x", r.capped ? ">" : "", *r.times_f16) : "-",
            format_bytes(double(r.kv.bytes.total()))};
        for (const std::size_t bytes : r.kind_bytes) {
            if (kinds) cells.push_back(format_bytes(double(bytes)));
        }
        cells.push_back(format_bytes(r.bytes_per_token));
        cells.push_back(format_bytes(double(r.total)));
        table.rows.push_back({std::move(cells), false, r.fits ? "" : "does not fit"});
    }
    return to_text(table);
}

std::string table_text(const Plan& plan, const PlanArgs& args) {
    std::string out = "\n" + caches_table(plan, args);
    const auto beyond = [&](const PlanResult& r) { return beyond_trained(r, plan); };
    if (std::any_of(plan.results.begin(), plan.results.end(), beyond)) {
        out += fmt::format("* beyond the {} tokens that the model was trained for\n",
                           format_count(plan.model.context_length));
    }
    return out;
}

// The conclusion, for the default precision or else the smallest cache listed.
std::string conclusion(const Plan& plan, const PlanArgs& args) {
    const PlanResult* chosen = nullptr;
    for (const PlanResult& r : plan.results) {
        if (!r.times_f16 || *r.times_f16 <= 1) continue;
        if (!chosen || r.spec == KvSpec{} ||
            (chosen->spec != KvSpec{} && *r.times_f16 > *chosen->times_f16)) {
            chosen = &r;
        }
    }
    if (!chosen) return "";
    if (args.options.context > 0) {
        return fmt::format("\n{} keeps {} tokens in {:.1f} times less memory than f16.\n",
                           chosen->spec.name(), format_count(chosen->context), *chosen->times_f16);
    }
    return fmt::format("\n{} holds {}{:.1f} times the context of f16 in the same memory.\n",
                       chosen->spec.name(), chosen->capped ? "more than " : "", *chosen->times_f16);
}

int plan(PlanArgs& args) {
    args.options.specs = parse_kv_list(args.kv);
    args.options.memory = args.memory.empty() ? available_memory() : parse_byte_size(args.memory);
    if (args.options.memory == 0) {
        throw UsageError("this system does not tell how much memory is free: say --memory 4G, for example");
    }
    require_model(args.path);
    const Plan result = lab::make_plan(args.path, args.options);
    if (args.json) {
        write_json(to_json(result, args));
    } else {
        write_out(facts(result, args) + table_text(result, args) + conclusion(result, args));
    }
    return 0;
}

}  // namespace

void add_plan(CLI::App& app, int& exit_code) {
    const auto args = std::make_shared<PlanArgs>();
    auto& o = args->options;
    CLI::App& command = *app.add_subcommand("plan", "say what fits into memory, without loading the model");
    add_model_option(command, "-m,--model", args->path)->required();
    command
        .add_option("--memory", args->memory, "for everything: 4G, 512M, 1.5GiB, 8GB; left out: what is free")
        ->type_name("SIZE");
    command
        .add_option("-c,--context", o.context, "tokens to plan for; 0: as many as fit, for each precision")
        ->check(in_range(0, lab::kLongestPlan))
        ->type_name("N");
    command.add_option("--kv", args->kv, "cache precisions")->type_name("LIST")->capture_default_str();
    command
        .add_option("-t,--threads", o.model.threads,
                    "threads; 0: one per physical core, within the CPU quota ('kvsplit info --cpu' tells)")
        ->check(in_range(0, 1024))
        ->type_name("N");
    add_activations_option(command, o.model);
    add_rope_options(command, o.model.rope);
    command.add_flag("--json", args->json, "print one JSON object instead of a table");
    command.footer(
        "Examples:\n"
        "  kvsplit plan -m model.gguf\n"
        "  kvsplit plan -m model.gguf --memory 4G --kv f16,k8v4,k4v4\n"
        "  kvsplit plan -m model.gguf --context 131072 --json\n"
        "  kvsplit plan -m model.gguf --rope-scaling yarn --rope-scale 4");
    command.callback([args, &exit_code] { exit_code = plan(*args); });
}

}  // namespace kvsplit::cli
