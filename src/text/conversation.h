// Conversation: a history of messages, and the tokens that a model reads of it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/answer_splitter.h"
#include "text/chat.h"
#include "text/prompt.h"

namespace kvsplit::text {

// What the model has said, in parts.
struct Answer {
    std::vector<Token> tokens;  // as sampled, without the one that ended it
    std::string reasoning, content;
    // What was sampled before the content, as text; nothing if the content is not all that comes after.
    std::optional<std::string> before_content;
};

struct ConversationOptions {
    std::string system = {};          // a system prompt; "": none
    Json variables = Json::object();  // of the template
    bool parse_special = false;       // names of control tokens in texts become those tokens
};

// ask(), then answer() or take_back(), and so on. What the model reads is always what the chat format makes
// of the history, which may leave the reasoning of earlier answers out. Not thread-safe.
class Conversation {
  public:
    // The model must outlive the conversation.
    Conversation(const Model& model, ChatFormat format, ConversationOptions options);

    const ChatFormat& format() const { return format_; }
    void reset();

    // Adds the user's message. Returns all tokens that the model shall have read when its answer begins;
    // valid until the next call. Where the history allows it, those of the last answer are as they were
    // sampled: encoding a text anew may give other tokens, for which a cache would have to be filled again.
    // Throws TemplateError where the template refuses or fails; then the message is taken back. If the
    // model's own template fails at the first message, the format falls back instead, which its notice()
    // tells.
    std::span<const Token> ask(std::string_view message);
    // Forgets the last message that was asked.
    void take_back();
    // For the answer to the last message.
    AnswerSplitter splitter() const;
    // Adds the answer.
    void answer(Answer answer);

    // All tokens of the conversation so far.
    std::span<const Token> tokens() const { return held_; }
    // How many tokens a session that holds the first `length` of the tokens() before ask() has in common with
    // the tokens to be read; at least one of these is not among them.
    std::size_t common_prefix(std::size_t length) const;

  private:
    bool is_first() const;
    std::string render(const ChatInput& input) const;
    Prompt cut(std::string_view rendered) const;
    std::vector<Token> read();
    std::optional<std::vector<Token>> continued();

    const Model& model_;
    ChatFormat format_;
    ConversationOptions options_;
    ChatInput input_;           // the history
    std::vector<Token> held_;   // of the history up to the last answer
    std::vector<Token> asked_;  // with the message after it
    std::string prompt_;        // what asked_ ends with, as text
    std::optional<Answer> last_;
};

}  // namespace kvsplit::text
