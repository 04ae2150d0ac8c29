#include "cli/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <random>
#include <utility>

#include "base/default_threads.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/model_path.h"
#include "cli/output.h"
#include "cli/text_file.h"
#include "gguf/gguf.h"
#include "lab/memory_check.h"
#include "lab/tuning.h"

namespace kvsplit::cli {
namespace {

struct LlamaType {
    std::string_view name;
    int bits;
};
constexpr std::array<LlamaType, 9> kLlamaTypes{{{"f32", 16},
                                                {"f16", 16},
                                                {"bf16", 16},
                                                {"q8_0", 8},
                                                {"q5_1", 5},
                                                {"q5_0", 5},
                                                {"q4_1", 4},
                                                {"q4_0", 4},
                                                {"iq4_nl", 4}}};

int bits_of_option(std::string_view option, std::string_view type, std::string_view side) {
    const auto bits = bits_of_llama_type(type);
    if (!bits) {
        throw UsageError(fmt::format(
            "{} {}: not a cache type; known are f16, q8_0, q4_0 and llama.cpp's other types up to 8 "
            "bits or 16",
            option, type));
    }
    note("{} {}: {} are kept in {} bits, the nearest precision here", option, type, side, *bits);
    return *bits;
}

// The limit in "auto" or "auto:LIMIT"; nullopt for other texts.
std::optional<double> read_automatic(std::string_view text) {
    if (text == "auto") return lab::kDefaultMaxKld;
    if (!text.starts_with("auto:")) return std::nullopt;
    text.remove_prefix(5);
    double limit = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc() || end != text.data() + text.size() || !(limit > 0)) {
        throw UsageError(
            fmt::format("--kv auto:{}: give a positive divergence in nats, such as auto:0.001", text));
    }
    return limit;
}

// An invalid precision is a usage error; a profile that cannot be opened is not.
[[noreturn]] void refuse_precision(const Error& error) {
    if (error.code() == ErrorCode::kInvalidArgument) throw UsageError(error.what());
    throw error;
}

constexpr std::size_t kMaxProfileBytes = std::size_t{1} << 20;

// A cache profile's text without comments and white space.
std::string read_profile(const std::string& path) {
    std::string out;
    bool comment = false;
    for (const char c : read_text(path, kMaxProfileBytes)) {
        if (c == '#') comment = true;
        if (c == '\n') comment = false;
        if (!comment && c != ' ' && c != '\t' && c != '\r' && c != '\n') out += c;
    }
    return out;
}

// A precision, or @FILE: a profile's.
KvSpec parse_kv(std::string_view text) {
    if (!text.starts_with('@')) return KvSpec::parse(text);
    const std::string path(text.substr(1));
    const std::string profile = read_profile(path);
    try {
        return KvSpec::parse(profile);
    } catch (const Error& error) {
        throw Error(error.code(), fmt::format("{}: {}", path, error.what()));
    }
}

}  // namespace

std::vector<std::string> normalise_arguments(int argc, char** argv) {
    std::vector<std::string> out(argv, argv + argc);
    // The argument after one of these is the user's text, whatever it looks like.
    const auto takes_text = [](const std::string& a) {
        return a == "-p" || a == "--prompt" || a == "-s" || a == "--system" || a == "--stop" || a == "-f";
    };
    for (std::size_t i = 1; i < out.size() && out[i] != "--"; ++i) {
        if (takes_text(out[i - 1])) continue;
        // -n=5 as --n-predict=5: the parser would take "=5" for the value.
        if (out[i].size() > 2 && out[i][0] == '-' && out[i][1] != '-' && out[i][2] == '=') out[i].erase(2, 1);
        for (const auto& [shorter, name] :
             {std::pair{"-ctk", "--cache-type-k"}, {"-ctv", "--cache-type-v"}}) {
            if (out[i] == shorter || out[i].starts_with(fmt::format("{}=", shorter))) {
                out[i].replace(0, std::strlen(shorter), name);
            }
        }
    }
    return out;
}

std::string with_written_name(const CLI::App& app, const std::vector<std::string>& arguments,
                              const std::string& message) {
    if (message == "--model is required")
        return message + ": -m and a GGUF file, or an address such as hf:OWNER/REPOSITORY";
    const std::string name = message.substr(0, message.find(": "));
    if (message.find(": At Most 1 required") != message.npos)
        return with_written_name(app, arguments, name + ": is given more than once");
    const auto written = [&](const std::string& as) {
        return std::ranges::any_of(arguments, [&](const std::string& a) { return a.starts_with(as); });
    };
    for (const CLI::App* command : app.get_subcommands()) {
        const CLI::Option* option = command->get_option_no_throw(name);
        if (!option || written(name)) continue;
        for (const std::string& other : option->get_snames()) {
            if (written("-" + other)) return "-" + other + message.substr(name.size());
        }
        for (const std::string& other : option->get_lnames()) {
            if (written("--" + other)) return "--" + other + message.substr(name.size());
        }
    }
    return message;
}

namespace {

// The number of letters to insert, remove, replace or swap with a neighbour to get from one text to the
// other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] = std::min({d[i - 1][j - 1] + (a[i - 1] != b[j - 1]), d[i - 1][j] + 1, d[i][j - 1] + 1});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a.size()][b.size()];
}

}  // namespace

std::string unknown_arguments_text(const CLI::App& app) {
    const std::vector<std::string> unknown = app.remaining(true);
    const auto is_option = [](const std::string& a) { return a.size() > 1 && a[0] == '-'; };
    const auto option = std::ranges::find_if(unknown, is_option);
    if (option == unknown.end())
        return fmt::format("'{}' is not expected here", unknown.empty() ? "" : unknown.front());
    const std::string written = option->substr(0, option->find('='));
    std::string nearest;
    std::size_t least = written.size() < 6 ? 2 : 3;  // a distance of this and more is no resemblance
    for (const CLI::App* command : app.get_subcommands()) {
        for (const CLI::Option* o : command->get_options()) {
            for (const std::string& name : o->get_lnames()) {
                const std::size_t distance = edit_distance(written, "--" + name);
                if (distance < least) nearest = "--" + name, least = distance;
            }
        }
    }
    return fmt::format("there is no option '{}'{}", written,
                       nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
}

void ModelArgs::add(CLI::App& command, Exact exact) {
    add_model_option(command, "-m,--model", path)->required();
    command
        .add_option("-t,--threads", options.threads,
                    "threads; 0: one per physical core, within the CPU quota ('kvsplit info --cpu' tells)")
        ->check(in_range(0, 1024))
        ->type_name("N");
    add_memory(command);
    add_rope_options(command, options.rope);
    if (exact == Exact::kDecidedByCommand) return;
    auto* exact_flag = command.add_flag("--exact", options.exact,
                                        "32-bit activations on dequantised weights: slow, for measuring");
    add_activations_option(command, options)->excludes(exact_flag);
}

CLI::Option* add_activations_option(CLI::App& command, ModelOptions& options) {
    return command
        .add_option("--activations", options.activation_bits,
                    "bits of activations: 16, or 8 for a faster prefill that shows in the text; auto: 16")
        ->transform(one_of<int>({{"auto", 0}, {"8", 8}, {"16", 16}}))
        ->type_name("8|16|auto")
        ->default_str("auto");
}

void ModelArgs::add_memory(CLI::App& command) {
    command.add_flag("--mmap,!--no-mmap", options.mmap,
                     "read the file in pieces while preparing weights (default), or all of it first");
    command.add_flag("--mlock", lock, "keep weights and cache out of swap");
    command.add_flag("!--no-memory-check", memory_check,
                     "load even if the model seems not to fit into memory");
}

void ModelArgs::require_memory(const KvSpec& spec, int context) const {
    const std::size_t available = available_memory();
    if (!memory_check || available == 0) return;
    try {
        // The check also counts memory that the process already holds.
        const auto notice = lab::check_memory(path, {spec, context, options}, available + current_rss());
        if (!notice.empty()) note("{}", notice);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kOutOfMemory) throw;
        fail(ErrorCode::kOutOfMemory, "{}. --no-memory-check goes on anyway", error.what());
    }
}

void add_rope_options(CLI::App& command, RopeOptions& rope) {
    using Scaling = RopeOptions::Scaling;
    command
        .add_option(
            "--rope-scaling", rope.scaling,
            "how positions are stretched: none, linear or yarn; default: as the file says, else linear")
        ->transform(one_of<Scaling>(
            {{"none", Scaling::kNone}, {"linear", Scaling::kLinear}, {"yarn", Scaling::kYarn}}))
        ->type_name("KIND");
    command
        .add_option("--rope-scale", rope.scale,
                    "stretch positions to X times the context that the model was trained for")
        ->check(in_range(1e-3, 1e6))
        ->type_name("X");
    command.add_option("--rope-freq-base", rope.frequency_base, "base of the rotary embedding")
        ->check(in_range(1.001, 1e15))
        ->type_name("X");
    command
        .add_option("--yarn-orig-ctx", rope.original_context,
                    "tokens that the model was trained for, overriding the file")
        ->check(in_range(1, 1 << 30))
        ->type_name("N");
}

std::shared_ptr<Model> ModelArgs::load(const KvSpec& spec, int context) const {
    require_model(path);
    require_memory(spec, context);
    if (lock) require_lockable(gguf::File(path).file_bytes());
    std::shared_ptr<Model> model;
    {
        const ProgressLine line(fmt::format("loading {}", path));
        model = Model::load(path, options);
    }
    const int wanted = options.threads > 0 ? options.threads : default_threads();
    if (model->threads() < wanted)
        note("{} of {} threads: the system makes no more (ulimit -u, or a limit of the container)",
             model->threads(), wanted);
    // Only now: while weights are prepared, the file's pages should leave memory.
    if (lock) lock_memory();
    return model;
}

std::shared_ptr<Model> ModelArgs::load(std::span<const KvSpec> specs, int context) const {
    return load(*std::ranges::max_element(specs, {},
                                          [](const KvSpec& spec) { return spec.key_bits + spec.value_bits; }),
                context);
}

void KvModifierArgs::add(CLI::App& command) {
    command
        .add_option(
            "--kv-layers", layers_,
            "different precisions for some layers, such as 0-1,-2-:k8v8 (the first two and the last two); "
            "may be given several times")
        ->allow_extra_args(false)
        ->type_name("LAYERS:SPEC");
    command.add_option("--kv-tail", tail_, "keep at least the latest N tokens exact, in steps of 64")
        ->type_name("N");
    command.add_option("--kv-sinks", sinks_, "keep the first N tokens exact, up to 16")->type_name("N");
    command
        .add_option("--kv-codec", codec_,
                    "leave out a step of the codecs, for experiments: rotation=off, mean=off, smoothing=off, "
                    "search=off; may be given several times")
        ->allow_extra_args(false)
        ->type_name("KEY=VALUE");
}

KvSpec KvModifierArgs::apply(const KvSpec& spec) const {
    std::string text = spec.name();
    const bool exact = spec.key_bits >= 16 && spec.value_bits >= 16 && spec.layers.empty();
    if (!exact || !layers_.empty()) {
        if (tail_) text += fmt::format("+tail={}", *tail_);
        if (sinks_) text += fmt::format("+sinks={}", *sinks_);
        for (const std::string& step : codec_) text += fmt::format("+{}", step);
    }
    for (const std::string& option : layers_) {
        const std::size_t colon = option.rfind(':');
        if (colon == std::string::npos) {
            throw UsageError(fmt::format("--kv-layers {}: say LAYERS:SPEC, such as 0-1,-2-:k8v8", option));
        }
        const std::string_view ranges = std::string_view(option).substr(0, colon);
        for (std::size_t at = 0; at <= ranges.size();) {
            const std::size_t end = std::min(ranges.find(',', at), ranges.size());
            text += fmt::format("+{}={}", ranges.substr(at, end - at), option.substr(colon + 1));
            at = end + 1;
        }
    }
    try {
        return KvSpec::parse(text);
    } catch (const Error& error) {
        throw UsageError(error.what());
    }
}

void KvArgs::add(CLI::App& command) {
    auto* pair =
        command.add_option("--kv", pair_,
                           "precision of keys and values: f16, k8v8, k8v4, k5v4 (default), k4v4, ... with "
                           "16, 8, 6, 5, 4, 3 or 2 bits a side; @FILE: a profile; auto[:MAX_KLD]: measured");
    const auto side = [&](const char* name, std::optional<int>& bits, const char* what) {
        return command.add_option(name, bits, fmt::format("bits of {}: 16, 8, 6, 5, 4, 3 or 2", what));
    };
    auto* key = side("--kv-key,--kvq-key", key_, "the keys alone");
    auto* value = side("--kv-val,--kvq-val", value_, "the values alone");
    auto* both = side("--kvq", both_, "both sides");
    auto* type_k = command.add_option("--cache-type-k", type_k_,
                                      "also -ctk: a llama.cpp key type, mapped to the nearest precision");
    auto* type_v = command.add_option("--cache-type-v", type_v_,
                                      "also -ctv: a llama.cpp value type, mapped to the nearest precision");
    pair->type_name("SPEC")->excludes(key, value, both, type_k, type_v);
    for (auto* option : {key, value, both}) option->type_name("N");
    both->excludes(type_k, type_v);
    type_k->type_name("TYPE")->excludes(key);
    type_v->type_name("TYPE")->excludes(value);
    modifiers_.add(command);
}

void KvArgs::read() {
    try {
        if (pair_) {
            max_kld_ = read_automatic(*pair_);
            if (max_kld_) return;
            if (!pair_->starts_with('@') && pair_->find(',') != std::string::npos) {
                throw UsageError(fmt::format(
                    "--kv {}: one precision is needed here; bench, compare, eval and perplexity take lists",
                    *pair_));
            }
            spec_ = parse_kv(*pair_);
        }
        if (both_) spec_.key_bits = spec_.value_bits = *both_;
        // As in llama.cpp, a side without an option has 16 bits.
        if (!type_k_.empty() || !type_v_.empty()) {
            spec_.key_bits = spec_.value_bits = 16;
            if (!type_k_.empty()) spec_.key_bits = bits_of_option("-ctk", type_k_, "keys");
            if (!type_v_.empty()) spec_.value_bits = bits_of_option("-ctv", type_v_, "values");
        }
        if (key_) spec_.key_bits = *key_;
        if (value_) spec_.value_bits = *value_;
        spec_.validate();
        spec_ = modifiers_.apply(spec_);
    } catch (const Error& error) {
        refuse_precision(error);
    }
}

KvSpec KvArgs::resolve(const std::shared_ptr<Model>& model) const {
    if (!max_kld_) return spec_;
    lab::Choice choice;
    {
        ProgressLine line("choosing the cache's precision");
        choice = lab::choose_automatically(model, *max_kld_, [&](double fraction) {
            line.update(fraction);
            return true;
        });
    }
    note("--kv auto: {}, {:.2f} bits per element, expected divergence from f16 {:.5f} (limit {:g})",
         choice.spec.name(), choice.bits_per_element, choice.expected_kld, *max_kld_);
    return modifiers_.apply(choice.spec);
}

std::optional<int> bits_of_llama_type(std::string_view type) {
    for (const LlamaType& known : kLlamaTypes) {
        if (known.name == type) return known.bits;
    }
    return std::nullopt;
}

std::string seed_fault(const std::string& text) {
    if (text.starts_with('-')) return "a seed is not below 0";
    std::uint64_t seed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
    if (error == std::errc::result_out_of_range) return "a seed is below 2^64";
    return error == std::errc() && end == text.data() + text.size()
               ? ""
               : fmt::format("'{}' is not a whole number", text);
}

constexpr std::string_view kAnySeed = "-1";  // as in llama.cpp

void SamplingArgs::add(CLI::App& command) {
    const auto number = [&](const char* name, auto& value, double low, double high, const char* help) {
        command.add_option(name, value, help)
            ->check(in_range(low, high))
            ->type_name("X")
            ->capture_default_str();
    };
    number("--temp", options.temperature, 0, 100, "temperature; 0: always the most likely token");
    command.add_option("--top-k", options.top_k, "draw from the K most likely tokens; 0: from all")
        ->check(in_range(0, 1 << 30))
        ->type_name("K")
        ->capture_default_str();
    number("--top-p", options.top_p, 1e-6, 1, "draw from the most likely tokens that add up to X; 1: off");
    number("--min-p", options.min_p, 0, 1, "leave out tokens less likely than X times the best; 0: off");
    number("--repeat-penalty", options.repeat_penalty, 1e-3, 100, "make recent tokens less likely; 1: off");
    seed_ = command.add_option("--seed", options.seed, "random seed; -1 (default): a new one each time")
                ->check([](const std::string& text) { return text == kAnySeed ? "" : seed_fault(text); })
                ->type_name("N");
}

void SamplingArgs::choose_seed() {
    const bool any = seed_->count() == 0 || seed_->as<std::string>() == kAnySeed;
    if (options.temperature > 0 && any) options.seed = std::random_device{}();
}

void ChatTemplateArgs::add(CLI::App& command) {
    command
        .add_option("--chat-template", path_,
                    "a file with a chat template (Jinja) to use instead of the model's")
        ->type_name("FILE");
    command
        .add_option("--chat-template-kwargs", variables_,
                    "variables of the template, a JSON object: '{\"enable_thinking\": false}'")
        ->check([](const std::string& text) -> std::string {
            return text::Json::parse(text, nullptr, false).is_object() ? "" : "not a JSON object: " + text;
        })
        ->type_name("JSON");
    command.add_flag("--parse-special", parse_special_,
                     "names of control tokens in messages, such as <|im_end|>, become those tokens");
    command
        .add_option("--reasoning", reasoning_,
                    "show or hide what a model thinks before it answers; default: shown on a terminal only")
        ->transform(
            one_of<ShowReasoning>({{"show", ShowReasoning::kAlways}, {"hide", ShowReasoning::kNever}}))
        ->type_name("show|hide");
}

text::ChatFormat ChatTemplateArgs::format(const gguf::File& model) const {
    return path_.empty() ? text::ChatFormat::of_model(model)
                         : text::ChatFormat::of_template(model, read_text(path_), path_);
}

text::Json ChatTemplateArgs::variables() const {
    return variables_.empty() ? text::Json::object() : text::Json::parse(variables_);
}

void add_length_options(CLI::App& command, int& max_tokens, int& context) {
    command.add_option("-n,--tokens,--n-predict", max_tokens, "most tokens to generate; -1: no limit")
        ->check(in_range(-1, 1 << 30))
        ->type_name("N")
        ->capture_default_str();
    command
        .add_option("-c,--context,--ctx-size", context,
                    "tokens that the cache can hold; 0: the model's context")
        ->check(in_range(0, 1 << 24))
        ->type_name("N");
}

void add_stop_option(CLI::App& command, std::vector<std::string>& stops) {
    command.add_option("--stop", stops, "end the answer before this text; may be given several times")
        ->allow_extra_args(false)
        ->type_name("TEXT");
}

void note_beyond_trained(const ModelInfo& info, int context) {
    if (context <= info.context_length) return;
    note(
        "the context of {} tokens goes beyond the {} that the model was trained for: text may become "
        "nonsense there. --rope-scaling and --rope-scale stretch positions",
        format_count(context), format_count(info.context_length));
}

std::vector<KvSpec> parse_kv_list(std::string_view list, const KvModifierArgs& modifiers) {
    std::vector<KvSpec> specs;
    try {
        for (std::size_t at = 0; at <= list.size();) {
            const std::size_t end = std::min(list.find(',', at), list.size());
            const KvSpec spec = parse_kv(list.substr(at, end - at));
            // Modifiers do not apply to references.
            const bool reference = spec == KvSpec::parse("f16") || spec == KvSpec::parse("f32");
            specs.push_back(reference ? spec : modifiers.apply(spec));
            if (std::find(specs.begin(), specs.end() - 1, specs.back()) != specs.end() - 1) {
                throw UsageError(fmt::format("cache precision {} is named twice", specs.back().name()));
            }
            at = end + 1;
        }
    } catch (const Error& error) {
        refuse_precision(error);
    }
    return specs;
}

}  // namespace kvsplit::cli
