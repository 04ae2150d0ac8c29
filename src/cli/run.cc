// kvsplit run: answers one prompt.
#include "cli/answer_printer.h"
#include "cli/commands.h"
#include "cli/generate.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/text_file.h"
#include "gguf/gguf.h"
#include "text/conversation.h"

namespace kvsplit::cli {
namespace {

struct RunArgs {
    ModelArgs model;
    KvArgs kv;
    SamplingArgs sampling;
    ChatTemplateArgs chat_template;
    GenerationLimits limits{256, {}};
    std::string prompt, prompt_file, system;
    int context = 0;
    bool raw = false, json = false;
    const CLI::Option* prompt_option = nullptr;
};

// The prompt as the user gave it.
std::string read_prompt(const RunArgs& args) {
    if (!args.prompt_file.empty()) return read_text(args.prompt_file);
    if (args.prompt_option->count() == 0) throw UsageError("give a prompt: -p TEXT, -p - or -f FILE");
    return args.prompt == "-" ? read_text("-") : args.prompt;
}

// The model's input, and how to read its answer.
struct Reading {
    std::vector<Token> tokens;
    text::AnswerSplitter splitter;
    GenerationLimits limits;
};

// Notes that a start token in the text is not doubled, since other programs double it.
void note_start_token(const Model& model, std::string_view text) {
    const auto start = model.tokenize("", true, false);  // the start token, or nothing
    if (start.empty()) return;
    const std::string name = model.token_bytes(start.front(), true);
    if (text.starts_with(name)) note("the text begins with the start token {}: no second one is added", name);
}

// The prompt as is, parsed like in llama.cpp: names of control tokens become tokens.
Reading read_raw(const Model& model, std::string_view prompt, const GenerationLimits& limits) {
    note_start_token(model, prompt);
    return {model.tokenize(prompt, true, true), {}, limits};
}

// A turn of a conversation, if the file states a chat format.
Reading read_turn(const Model& model, const RunArgs& args, const std::string& prompt) {
    if (args.raw) return read_raw(model, prompt, args.limits);
    auto format = args.chat_template.format(gguf::File(args.model.path));
    if (!format.is_stated()) {
        if (args.system.empty()) return read_raw(model, prompt, args.limits);
        throw UsageError(
            "-s: this model's file states no chat format, so there is no place for a system prompt");
    }
    text::Conversation conversation(
        model, std::move(format),
        {args.system, args.chat_template.variables(), args.chat_template.parse_special()});
    const auto tokens = conversation.ask(prompt);
    note_format(conversation.format(), args.system);
    return {{tokens.begin(), tokens.end()}, conversation.splitter(), args.limits.with(conversation.format())};
}

Json to_json(const Generation& g, const Session& session, const SamplingOptions& sampling) {
    const KvStats stats = session.stats();
    Json out{{"text", g.answer.content},
             {"tokens", g.answer.tokens.size()},
             {"prompt_tokens", g.prompt_tokens},
             {"prefill_tokens_per_s", g.prefill_rate()},
             {"decode_tokens_per_s", g.decode_rate()},
             {"kv", session.spec().name()},
             {"kv_bytes", kv_bytes_json(stats)},
             {"saved_pct", stats.saved_pct()},
             {"stop_reason", stop_reason_name(g.reason)}};
    if (sampling.temperature > 0) out["seed"] = sampling.seed;
    if (!g.answer.reasoning.empty()) out["reasoning"] = g.answer.reasoning;
    return out;
}

void print_statistics(const Generation& g, const Session& session, const SamplingOptions& sampling) {
    say("\n{}cache {}\n", speed_text(g), kv_text(session.spec(), session.stats(), session.length()));
    if (sampling.temperature > 0) say("seed: {}\n", sampling.seed);
    if (g.reason == StopReason::kContext) {
        note("the context of {} tokens is full: choose a larger one with -c",
             format_count(session.context()));
    }
    note_missing_content(g);
}

int run(RunArgs& args) {
    args.kv.read();
    args.sampling.choose_seed();
    Sampler sampler(args.sampling.options);
    const std::string raw_prompt = read_prompt(args);
    const auto model = args.model.load(args.kv.expected(), args.context);
    Reading reading = read_turn(*model, args, raw_prompt);
    if (reading.tokens.empty()) throw UsageError("the prompt is empty");
    const auto session = Session::create(model, args.kv.resolve(model), args.context);
    note_beyond_trained(model->info(), session->context());

    const InterruptGuard interrupt;
    AnswerPrinter printer(args.chat_template.reasoning());
    const auto sink = [&](text::AnswerPart part, std::string_view piece) {
        return args.json || printer.print(part, piece);
    };
    const auto result = generate(
        *model, *session, sampler, reading.tokens, std::move(reading.splitter), reading.limits,
        [&] { return interrupt.raised(); }, sink);
    printer.finish();
    if (args.json) {
        write_json(to_json(result, *session, args.sampling.options));
    } else {
        if (stdout_is_terminal()) write_out("\n");
        print_statistics(result, *session, args.sampling.options);
    }
    return result.reason == StopReason::kInterrupted ? kInterruptedExitCode : 0;
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
    const auto args = std::make_shared<RunArgs>();
    CLI::App& command = *app.add_subcommand("run", "answer one prompt");
    args->model.add(command);
    auto* prompt = command.add_option("-p,--prompt", args->prompt, "the prompt; - reads standard input");
    auto* file = command.add_option("-f,--file", args->prompt_file, "a file with the prompt");
    prompt->type_name("TEXT")->excludes(file);
    file->type_name("FILE");
    args->prompt_option = prompt;
    auto* system =
        command.add_option("-s,--system", args->system, "system prompt, for models with a chat format");
    auto* raw = command.add_flag("--raw", args->raw, "continue the text as is, without the chat format");
    system->type_name("TEXT")->excludes(raw);
    args->chat_template.add(command);
    for (const char* option : {"--chat-template", "--parse-special"})
        raw->excludes(command.get_option(option));
    add_length_options(command, args->limits.max_tokens, args->context);
    args->kv.add(command);
    args->sampling.add(command);
    add_stop_option(command, args->limits.stops);
    command.add_flag("--json", args->json, "print one JSON object instead of text and statistics");
    command.footer(
        "The text goes to stdout as it is made, statistics go to stderr.\n"
        "Examples:\n"
        "  kvsplit run -m model.gguf -p 'Why is the sky blue?'\n"
        "  kvsplit run -m model.gguf -p 'Once upon a time' --raw -n 100 --temp 0.8 --seed 1\n"
        "  kvsplit run -m model.gguf -f question.txt --kv-key 8 --kv-val 8 --json\n"
        "  git diff | kvsplit run -m model.gguf -p -");
    command.callback([args, &exit_code] { exit_code = run(*args); });
}

}  // namespace kvsplit::cli
