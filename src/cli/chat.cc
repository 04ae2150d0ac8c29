// kvsplit chat: a conversation in the model's own format. The cache lives through all turns; a turn evaluates
// only what is new.
#include "text/chat.h"

#include <unistd.h>

#include "base/error.h"
#include "cli/chat_input.h"
#include "cli/commands.h"
#include "cli/generate.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"
#include "gguf/gguf.h"

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

// Options first: a mistake there should not wait for the weights.
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
          format_(args.chat_template.format(gguf::File(args.model.path))),
          session_(Session::create(model_, spec_, args.context)),
          terminal_(::isatty(STDIN_FILENO) != 0) {
        if (!format_.notice().empty()) note("{}", format_.notice());
        if (!format_.stop().empty()) args_.limits.stops.push_back(format_.stop());
        conversation_.variables = args.chat_template.variables();
        reset();
    }

    void converse() {
        if (terminal_) {
            say("{}, {} format, cache {}. /help lists the commands.\n", model_->info().name, format_.name(),
                spec_.name());
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
        messages().clear();
        if (!args_.system.empty()) add_message("system", args_.system);
        session_->clear();
        held_.clear();
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

    // False when nobody reads the answers any more.
    bool answer(const std::string& message) {
        const auto target = with_message(message);
        const std::size_t keep = rewind(target);
        if (target.size() > static_cast<std::size_t>(session_->context())) {
            messages().erase(messages().size() - 1);
            note(
                "the conversation no longer fits into the context of {} tokens: /reset starts a new one, a "
                "larger -c gives more room",
                format_count(session_->context()));
            return true;
        }
        const InterruptGuard interrupt;
        last_ = generate(
            *model_, *session_, sampler_, std::span(target).subspan(keep), args_.limits,
            [&] { return interrupt.raised(); }, write_out);
        held_ = target;
        held_.insert(held_.end(), last_.tokens.begin(), last_.tokens.end());
        add_message("assistant", last_.text);
        if (!write_out("\n")) return false;
        if (last_.reason == StopReason::kContext)
            note("the context is full: /reset starts a new conversation");
        if (last_.reason == StopReason::kInterrupted && terminal_) note("stopped");
        return last_.reason != StopReason::kClosed;
    }

    // Adds the user's message; returns all tokens that the model shall have read when its answer begins.
    // Where possible these are the tokens of the conversation as they were sampled, plus the new turn's:
    // encoding an answer's text anew may give other tokens, and the cache would be lost from there on.
    std::vector<Token> with_message(const std::string& message) {
        const bool continues = !messages().empty() && messages().back()["role"] == "assistant" &&
                               last_.reason != StopReason::kStop;
        if (!continues) {
            add_message("user", message);
            return whole_conversation();
        }
        // What follows the answer's text, found with a stand-in for the text.
        constexpr std::string_view kStandIn = "\x01";
        auto probe = conversation_;
        probe.messages.erase(probe.messages.size() - 1);
        const std::string before = format_.render(probe);
        probe.messages.push_back(text::chat_message("assistant", kStandIn));
        probe.messages.push_back(text::chat_message("user", message));
        const std::string whole = format_.render(probe);
        add_message("user", message);
        if (!whole.starts_with(before + std::string(kStandIn))) return whole_conversation();
        auto target = held_;
        const auto rest = model_->tokenize(whole.substr(before.size() + kStandIn.size()), false, true);
        target.insert(target.end(), rest.begin(), rest.end());
        return target;
    }

    std::vector<Token> whole_conversation() const {
        return model_->tokenize(format_.render(conversation_), true, true);
    }

    text::Json& messages() { return conversation_.messages; }
    void add_message(std::string_view role, std::string_view content) {
        messages().push_back(text::chat_message(role, content));
    }

    // Cuts the session back to what it shares with the target; returns how many tokens that is.
    std::size_t rewind(const std::vector<Token>& target) {
        const auto length = static_cast<std::size_t>(session_->length());
        std::size_t same = 0;
        while (same < length && same + 1 < target.size() && held_[same] == target[same]) ++same;
        return same < length ? static_cast<std::size_t>(session_->trim(static_cast<int>(same))) : same;
    }

    ChatArgs& args_;
    ChatInput input_;  // first: it keeps what is typed while the model is loaded
    Sampler sampler_;
    std::shared_ptr<Model> model_;
    KvSpec spec_;
    text::ChatFormat format_;
    std::unique_ptr<Session> session_;
    bool terminal_;
    text::ChatInput conversation_;
    std::vector<Token> held_;  // the conversation's tokens; the session holds all, or all but the last
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
                     "keep nothing of what is typed for the arrow keys of later conversations");
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
