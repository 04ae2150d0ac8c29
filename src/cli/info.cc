// kvsplit info: describes a model file, and its cache's size at each precision.
#include <algorithm>
#include <map>
#include <optional>

#include "base/printable.h"
#include "cli/build_info.h"
#include "cli/commands.h"
#include "cli/model_path.h"
#include "cli/options.h"
#include "cli/output.h"
#include "engine/model_impl.h"
#include "gguf/gguf.h"
#include "kvsplit/error.h"
#include "lab/report/table.h"
#include "text/chat.h"

namespace kvsplit::cli {
namespace {

struct InfoArgs {
    std::string path;
    bool tensors = false, json = false;
    bool supported = false, cpu = false;  // describe the build or the machine instead of a file
};

// One precision: its cost, or why the model cannot use it.
struct CacheRow {
    KvSpec spec;
    KvStats stats;               // at the full context
    double bytes_per_token = 0;  // once sealed, all layers
    std::string refusal;
};

// Everything but the file itself. The model's facts are absent if this build cannot run it.
struct Description {
    std::optional<ModelInfo> model;
    std::string refusal;  // why they are absent
    std::string chat_format;
    std::vector<CacheRow> cache;
};

CacheRow cache_row(int context, const CacheGeometry& geometry, const KvSpec& spec) {
    CacheRow row{spec, {}, 0, {}};
    try {
        row.stats = plan_cache(geometry, spec, context);
        row.bytes_per_token = geometry.elements() * row.stats.bits_per_element() / 8;
    } catch (const Error& error) {
        row.refusal = error.what();
    }
    return row;
}

Description describe(const gguf::File& file) {
    Description out;
    try {
        out.chat_format = text::ChatFormat::of_model(file).name();
        file.require_supported_types();
        text::Tokenizer::create(file);  // throws for a kind that this build lacks
        const ModelDescription description = kvsplit::describe(file);
        const ModelInfo model = make_info(file, description);
        for (const int key : kv_widths()) {
            for (const int value : kv_widths()) {
                out.cache.push_back(
                    cache_row(model.context_length, description.geometry(), KvSpec{key, value}));
            }
        }
        out.model = model;
    } catch (const Error& error) {
        out.refusal = error.what();
    }
    return out;
}

std::string shape_text(const gguf::Tensor& tensor) {
    std::string out;
    for (int i = 0; i < tensor.n_dims; ++i) {
        out += fmt::format("{}{}", i ? " x " : "", tensor.shape[static_cast<std::size_t>(i)]);
    }
    return out;
}

std::string type_text(const gguf::Tensor& tensor) { return std::string(gguf::type_name(tensor.type)); }

struct TypeSum {
    std::size_t count = 0, bytes = 0;
};
std::map<std::string, TypeSum> sum_types(const gguf::File& file) {
    std::map<std::string, TypeSum> sums;
    for (const auto& tensor : file.tensors()) {
        auto& sum = sums[type_text(tensor)];
        ++sum.count;
        sum.bytes += tensor.bytes;
    }
    return sums;
}

std::string facts(const gguf::File& file, const Description& d) {
    std::string out;
    const auto line = [&](std::string_view label, const std::string& value) {
        out += fmt::format("{:<16}{}\n", label, value);
    };
    line("file", fmt::format("{} ({}, GGUF version {})", file.path(), format_bytes(double(file.file_bytes())),
                             file.version()));
    if (file.n_parts() > 1) line("parts", fmt::format("{} files", file.n_parts()));
    if (!d.model) return out;
    const ModelInfo& i = *d.model;
    line("name", printable(i.name));
    line("architecture", i.architecture);
    line("parameters", fmt::format("{:.1f} million, mostly {}", double(i.n_parameters) / 1e6, i.weight_type));
    line("layers", fmt::format("{} of width {}, feed-forward {}", i.n_layers, i.n_embd, i.n_ff));
    line("attention", i.latent_dim > 0 ? fmt::format("{} query heads share {}", i.n_heads, latent_text(i))
                                       : fmt::format("{} query heads, {} key and value heads of size {}",
                                                     i.n_heads, i.n_kv_heads, i.head_dim));
    if (i.n_window_layers > 0) {
        line("sliding window", fmt::format("{} tokens in {} layers", i.sliding_window, i.n_window_layers));
    }
    if (i.n_recurrent_layers > 0) {
        line("hybrid",
             fmt::format("keys and values in {} of {} layers, a state in {}: {}", i.n_cache_layers,
                         i.n_layers, i.n_recurrent_layers, format_bytes(double(i.recurrent_bytes))));
    }
    if (i.n_recurrent_layers == 0 && i.n_cache_layers < i.n_layers) {
        line("shared", fmt::format("keys and values in {} of {} layers, which the others read",
                                   i.n_cache_layers, i.n_layers));
    }
    line("vocabulary", format_count(i.n_vocab));
    line("context", format_count(i.context_length));
    line("chat format", d.chat_format);
    return out;
}

std::string tensors_text(const gguf::File& file, bool all) {
    lab::Table types{"", {{""}, {""}, {""}}}, tensors{"", {{""}, {"", false, true}, {"", false, true}}};
    for (const auto& [type, sum] : sum_types(file)) {
        types.rows.push_back({{"  " + type, format_count(static_cast<long long>(sum.count)),
                               format_bytes(double(sum.bytes))}});
    }
    const std::string out = fmt::format("\ntensors: {}\n", file.tensors().size()) + to_text(types);
    if (!all) return out;
    for (const auto& tensor : file.tensors()) {
        tensors.rows.push_back({{"  " + printable(tensor.name), type_text(tensor), shape_text(tensor)}});
    }
    return out + "\n" + to_text(tensors);
}

std::string metadata_text(const gguf::File& file) {
    std::string out = "\nmetadata:\n";
    // Not aligned to the longest key, which would push all values far right.
    for (const auto& value : file.metadata()) {
        out += fmt::format("  {:<42}  {}\n", printable(value.key), gguf::to_display(value));
    }
    return out;
}

std::string cache_text(const Description& d) {
    if (!d.model) return "";
    lab::Table table{"",
                     {{""},
                      {"key bits"},
                      {"value bits"},
                      {"bytes a token"},
                      {fmt::format("at {} tokens", format_count(d.model->context_length))},
                      {"saved"}}};
    for (const auto& row : d.cache) {
        const std::string name = "  " + row.spec.name();
        if (!row.refusal.empty()) {
            table.rows.push_back({{name}, false, "not possible: " + row.refusal});
            continue;
        }
        table.rows.push_back({{name, fmt::format("{:.2f}", row.stats.key_bits_per_element),
                               fmt::format("{:.2f}", row.stats.value_bits_per_element),
                               format_count(static_cast<long long>(row.bytes_per_token + 0.5)),
                               format_bytes(double(row.stats.bytes.total())),
                               fmt::format("{:.1f} %", row.stats.saved_pct())}});
    }
    return "\ncache, for one sequence:\n" + to_text(table) +
           "Bits count everything stored for a sealed token; the total holds the open pages too.\n";
}

Json model_json(const Description& d) {
    if (!d.model) return nullptr;
    const ModelInfo& i = *d.model;
    return {{"name", i.name},
            {"architecture", i.architecture},
            {"weight_type", i.weight_type},
            {"parameters", i.n_parameters},
            {"layers", i.n_layers},
            {"width", i.n_embd},
            {"heads", i.n_heads},
            {"kv_heads", i.n_kv_heads},
            {"head_dim", i.head_dim},
            {"latent_dim", i.latent_dim},
            {"feed_forward", i.n_ff},
            {"vocabulary", i.n_vocab},
            {"context", i.context_length},
            {"sliding_window", i.sliding_window},
            {"window_layers", i.n_window_layers},
            {"cache_layers", i.n_cache_layers},
            {"recurrent_layers", i.n_recurrent_layers},
            {"recurrent_bytes", i.recurrent_bytes},
            {"chat_format", d.chat_format}};
}

Json cache_json(const CacheRow& row) {
    if (!row.refusal.empty()) return {{"kv", row.spec.name()}, {"error", row.refusal}};
    return {{"kv", row.spec.name()},
            {"bits_per_element",
             {{"key", row.stats.key_bits_per_element}, {"value", row.stats.value_bits_per_element}}},
            {"bytes_per_token", row.bytes_per_token},
            {"kv_bytes", kv_bytes_json(row.stats)},
            {"saved_pct", row.stats.saved_pct()}};
}

Json to_json(const gguf::File& file, const Description& d) {
    Json out{{"file", file.path()},     {"file_bytes", file.file_bytes()},
             {"parts", file.n_parts()}, {"gguf_version", file.version()},
             {"model", model_json(d)},  {"error", d.refusal.empty() ? Json(nullptr) : Json(d.refusal)}};
    out["cache"] = Json::array();
    for (const auto& row : d.cache) out["cache"].push_back(cache_json(row));
    out["metadata"] = Json::object();
    for (const auto& value : file.metadata())
        out["metadata"][std::string(value.key)] = gguf::to_display(value);
    out["tensors"] = Json::array();
    for (const auto& tensor : file.tensors()) {
        Json shape = Json::array();
        for (int i = 0; i < tensor.n_dims; ++i) shape.push_back(tensor.shape[static_cast<std::size_t>(i)]);
        out["tensors"].push_back({{"name", tensor.name},
                                  {"type", type_text(tensor)},
                                  {"shape", std::move(shape)},
                                  {"bytes", tensor.bytes}});
    }
    return out;
}

int info(const InfoArgs& args) {
    if (args.supported) print_architectures(args.json);
    if (args.cpu) print_processor(args.json);
    if (args.supported || args.cpu) return 0;
    if (args.path.empty()) throw UsageError("info needs a model file, --supported or --cpu");
    require_model(args.path);
    const gguf::File file(args.path);
    const Description d = describe(file);
    if (args.json) {
        write_json(to_json(file, d));
    } else {
        write_out(facts(file, d) + tensors_text(file, args.tensors) + metadata_text(file) + cache_text(d));
        if (!d.model)
            note("this build cannot run the model, so there are no figures for its cache: {}", d.refusal);
    }
    return 0;
}

}  // namespace

void add_info(CLI::App& app, int& exit_code) {
    const auto args = std::make_shared<InfoArgs>();
    CLI::App& command = *app.add_subcommand("info", "describe a model file and the cost of its cache");
    add_model_option(command, "model,-m,--model", args->path);
    command.add_flag("--tensors", args->tensors, "list every tensor");
    auto* supported =
        command.add_flag("--supported", args->supported, "list the architectures that this build runs");
    command.add_flag("--cpu", args->cpu, "the processor and the kernels that are used on it")
        ->excludes(supported);
    command.add_flag("--json", args->json, "print one JSON object, with every tensor");
    command.footer(
        "Examples:\n"
        "  kvsplit info model.gguf\n"
        "  kvsplit info model.gguf --tensors\n"
        "  kvsplit info model.gguf --json\n"
        "  kvsplit info --supported\n"
        "  kvsplit info --cpu");
    command.callback([args, &exit_code] { exit_code = info(*args); });
}

}  // namespace kvsplit::cli
