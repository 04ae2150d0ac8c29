#include "text/conversation.h"

#include <algorithm>
#include <utility>

namespace kvsplit::text {

Conversation::Conversation(const Model& model, ChatFormat format, ConversationOptions options)
    : model_(model), format_(std::move(format)), options_(std::move(options)) {
    input_.variables = options_.variables;
    reset();
}

void Conversation::reset() {
    input_.messages = Json::array();
    if (!options_.system.empty()) input_.messages.push_back(chat_message("system", options_.system));
    held_.clear();
    asked_.clear();
    last_.reset();
}

bool Conversation::is_first() const {
    return std::ranges::none_of(input_.messages, [](const Json& m) { return m["role"] == "assistant"; });
}

std::span<const Token> Conversation::ask(std::string_view message) {
    input_.messages.push_back(chat_message("user", message));
    try {
        asked_ = read();
    } catch (...) {
        take_back();
        throw;
    }
    return asked_;
}

// Renders the history with the message. A refusal concerns the message; any other failure is the template's
// fault.
std::vector<Token> Conversation::read() {
    try {
        if (auto tokens = continued()) return std::move(*tokens);
        const Prompt prompt = cut(render(input_));
        prompt_ = prompt_text(prompt);
        return tokenize(model_, prompt, true);
    } catch (const jinja::TemplateError& error) {
        if (error.fault() == jinja::Fault::kRaised || !is_first() || !format_.fall_back(error)) throw;
        return read();
    }
}

void Conversation::take_back() {
    if (!input_.messages.empty() && input_.messages.back()["role"] == "user")
        input_.messages.erase(input_.messages.size() - 1);
    asked_.clear();
}

AnswerSplitter Conversation::splitter() const { return {format_.answers(), prompt_}; }

void Conversation::answer(Answer answer) {
    held_ = std::exchange(asked_, {});
    held_.insert(held_.end(), answer.tokens.begin(), answer.tokens.end());
    Json message = chat_message("assistant", answer.content);
    if (!answer.reasoning.empty()) message["reasoning_content"] = answer.reasoning;
    input_.messages.push_back(std::move(message));
    last_ = std::move(answer);
}

std::size_t Conversation::common_prefix(std::size_t length) const {
    length = std::min(length, held_.size());
    std::size_t same = 0;
    while (same < length && same + 1 < asked_.size() && held_[same] == asked_[same]) ++same;
    return same;
}

std::string Conversation::render(const ChatInput& input) const {
    return options_.parse_special ? format_.render(input) : format_.render_marked(input);
}

Prompt Conversation::cut(std::string_view rendered) const {
    if (!options_.parse_special) return format_.guard().cut(rendered);
    return rendered.empty() ? Prompt{} : Prompt{{std::string(rendered), true}};
}

// The tokens held plus those of the new message, if the template renders the last answer as the model wrote
// it. Finds the text after the answer by rendering a stand-in for its content.
std::optional<std::vector<Token>> Conversation::continued() {
    constexpr std::string_view kStandIn = "\x01";
    const std::size_t n = input_.messages.size();
    if (!last_ || !last_->before_content || n < 3) return std::nullopt;
    ChatInput probe = input_;
    std::string before, whole;
    try {
        probe.messages[n - 2]["content"] = kStandIn;
        whole = render(probe);
        probe.messages.erase(n - 1);
        probe.messages.erase(n - 2);
        before = render(probe) + *last_->before_content;
    } catch (const jinja::TemplateError& error) {
        if (error.fault() == jinja::Fault::kLimit) throw;
        return std::nullopt;  // rendering the whole history decides
    }
    if (!whole.starts_with(before + std::string(kStandIn))) return std::nullopt;
    const Prompt rest = cut(std::string_view(whole).substr(before.size() + kStandIn.size()));
    prompt_ = prompt_text(rest);
    std::vector<Token> tokens = held_;
    const auto more = tokenize(model_, rest, false);
    tokens.insert(tokens.end(), more.begin(), more.end());
    return tokens;
}

}  // namespace kvsplit::text
