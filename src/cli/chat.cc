// kvsplit chat: a conversation in the model's own format. The cache persists across turns; each evaluates
// only what is new.
#include <unistd.h>

#include "base/error.h"
#include "cli/answer_printer.h"
#include "cli/chat_input.h"
#include "cli/commands.h"
#include "cli/generate.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"
#include "gguf/gguf.h"
#include "text/conversation.h"

namespace kvsplit::cli {
namespace {

constexpr std::string_view kHelp =
    "/help    these commands\n"
    "/reset   forget the conversation\n"
    "/stats   speed of the last answer\n"
    "/kv      what the cache takes\n"
    "/exit    leave (so do Ctrl-D, and Ctrl-C on an empty line)\n"
    "A line that ends in \\ goes on in the next one; what is pasted is one message.\n"
    "//help sends /help as a message. Ctrl-C stops an answer.\n";

struct ChatArgs {
    ModelArgs model;
    KvArgs kv;
    SamplingArgs sampling;
    ChatTemplateArgs chat_template;
    GenerationLimits limits{1024, {}};
    std::string system;
    int context = 0;
    bool no_history = false;
};

// Options first: report mistakes before loading the weights.
std::shared_ptr<Model> read_and_load(ChatArgs& args) {
    args.kv.read();
    return args.model.load(args.kv.expected(), args.context);
}

class Chat {
  public:
    explicit Chat(ChatArgs& args)
        : args_(args),
          input_(!args.no_history),
          sampler_(args.sampling.options),
          model_(read_and_load(args)),
          spec_(args.kv.resolve(model_)),
          conversation_(*model_, args.chat_template.format(gguf::File(args.model.path)),
                        {args.system, args.chat_template.variables(), args.chat_template.parse_special()}),
          session_(Session::create(model_, spec_, args.context)),
          terminal_(::isatty(STDIN_FILENO) != 0) {
        note_format(conversation_.format(), args_.system);
    }

    void converse() {
        if (terminal_) {
            say("{}, {} format, cache {}. /help lists the commands.\n", model_->info().name,
                conversation_.format().name(), spec_.name());
        }
        if (args_.sampling.options.temperature > 0) say("seed: {}\n", args_.sampling.options.seed);
        note_beyond_trained(model_->info(), session_->context());
        for (ChatEntry entry; (entry = input_.next()).kind != ChatEntry::Kind::kEnd;) {
            const bool goes_on =
                entry.kind == ChatEntry::Kind::kCommand ? command(entry.text) : answer(entry.text);
            if (!goes_on) break;
        }
        say("cache {}\n", kv_text(spec_, session_->stats(), session_->length()));
    }

  private:
    void reset() {
        conversation_.reset();
        session_->clear();
        last_ = {};
    }

    // False to leave.
    bool command(const std::string& text) {
        if (text == "/exit" || text == "/quit") return false;
        if (text == "/reset") {
            reset();
        } else if (text == "/stats") {
            write_err(speed_text(last_));
        } else if (text == "/kv") {
            say("cache {}\n", kv_text(spec_, session_->stats(), session_->length()));
        } else {
            write_err(kHelp);
        }
        return true;
    }

    // False: the reader of the answers has gone.
    bool answer(const std::string& message) {
        const auto target = ask(message);
        if (target.empty()) return true;
        const auto length = static_cast<std::size_t>(session_->length());
        std::size_t keep = conversation_.common_prefix(length);
        if (keep < length) keep = static_cast<std::size_t>(session_->trim(static_cast<int>(keep)));
        const InterruptGuard interrupt;
        AnswerPrinter printer(args_.chat_template.reasoning());
        last_ = generate(
            *model_, *session_, sampler_, target.subspan(keep), conversation_.splitter(),
            args_.limits.with(conversation_.format()), [&] { return interrupt.raised(); },
            [&](text::AnswerPart part, std::string_view text) { return printer.print(part, text); });
        if (last_.reason == StopReason::kInterrupted && last_.answer.tokens.empty()) {
            // A message that was not read to its end would stay in front of the next one.
            conversation_.take_back();
            session_->trim(static_cast<int>(keep));
            note("stopped before the answer: the message is taken back");
            return true;
        }
        conversation_.answer(last_.answer);
        if (!printer.finish() || !write_out("\n")) return false;
        note_missing_content(last_);
        if (last_.reason == StopReason::kContext)
            note("the context is full: /reset starts a new conversation");
        if (last_.reason == StopReason::kInterrupted && terminal_) note("stopped");
        return last_.reason != StopReason::kClosed;
    }

    // The tokens that precede the answer. Empty if the message cannot be used: takes it back and tells the
    // user why.
    std::span<const Token> ask(const std::string& message) {
        const bool guessed = !conversation_.format().notice().empty();
        std::span<const Token> target;
        try {
            target = conversation_.ask(message);
        } catch (const text::jinja::TemplateError& error) {
            note("{}. The message is taken back: ask another one, or /reset", error.what());
            return {};
        }
        if (!guessed) note_format(conversation_.format(), {});
        if (target.empty()) {
            note("the chat template makes an empty prompt of this message");
        } else if (target.size() > static_cast<std::size_t>(session_->context())) {
            note(
                "the conversation no longer fits into the context of {} tokens: /reset starts a new one, a "
                "larger -c gives more room",
                format_count(session_->context()));
        } else {
            return target;
        }
        conversation_.take_back();
        return {};
    }

    ChatArgs& args_;
    ChatInput input_;  // first: it keeps what is typed while the model loads
    Sampler sampler_;
    std::shared_ptr<Model> model_;
    KvSpec spec_;
    text::Conversation conversation_;
    std::unique_ptr<Session> session_;  // holds the conversation's tokens: all, or all but the last
    bool terminal_;
    Generation last_;
};

}  // namespace

void add_chat(CLI::App& app, int& exit_code) {
    const auto args = std::make_shared<ChatArgs>();
    CLI::App& command = *app.add_subcommand("chat", "talk with a model");
    args->model.add(command);
    command.add_option("-s,--system", args->system, "system prompt")->type_name("TEXT");
    args->chat_template.add(command);
    add_length_options(command, args->limits.max_tokens, args->context);
    args->kv.add(command);
    args->sampling.add(command);
    add_stop_option(command, args->limits.stops);
    command.add_flag("--no-history", args->no_history,
                     "neither read nor write the history that the arrow keys bring back");
    command.footer(std::string("In the conversation:\n") + std::string(kHelp) +
                   "Examples:\n"
                   "  kvsplit chat -m model.gguf\n"
                   "  kvsplit chat -m model.gguf --kv k4v4 -s 'Answer in French.' --temp 0.7\n"
                   "  printf 'Hello!\\nAnd goodbye.\\n' | kvsplit chat -m model.gguf");
    command.callback([args, &exit_code] {
        args->sampling.choose_seed();
        Chat(*args).converse();
        exit_code = 0;
    });
}

}  // namespace kvsplit::cli
