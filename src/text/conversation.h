// Conversation: a history of messages, and the tokens that represent it.
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

// A model's answer, in parts.
struct Answer {
    std::vector<Token> tokens;  // as sampled, without the one that ended it
    std::string reasoning, content;
    // The text sampled before the content; nothing if more than content followed.
    std::optional<std::string> before_content;
};

struct ConversationOptions {
    std::string system = {};          // a system prompt; "": none
    Json variables = Json::object();  // of the template
    bool parse_special = false;       // names of control tokens in texts become those tokens
};

// Call ask(), then answer() or take_back(), and repeat. The model always reads the history as the chat format
// renders it, possibly without the reasoning of earlier answers. Not thread-safe.
class Conversation {
  public:
    // The model must outlive the conversation.
    Conversation(const Model& model, ChatFormat format, ConversationOptions options);

    const ChatFormat& format() const { return format_; }
    void reset();

    // Adds the user's message. Returns all tokens that precede the model's answer; valid until the next call.
    // If possible, the last answer's tokens are those sampled: encoding its text again may give other tokens,
    // and a cache would have to be refilled. Throws TemplateError if the template refuses or fails, and takes
    // the message back. If the model's own template fails at the first message, the format falls back
    // instead, and its notice() says so.
    std::span<const Token> ask(std::string_view message);
    // Removes the last message asked.
    void take_back();
    // A splitter for the answer to the last message.
    AnswerSplitter splitter() const;
    // Adds the answer.
    void answer(Answer answer);

    // All tokens of the conversation so far.
    std::span<const Token> tokens() const { return held_; }
    // How many leading tokens to keep of a session that holds the first `length` of the tokens() before
    // ask(); leaves at least one token to evaluate.
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
    std::string prompt_;        // the end of asked_ as text
    std::optional<Answer> last_;
};

}  // namespace kvsplit::text
