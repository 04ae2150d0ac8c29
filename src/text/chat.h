// ChatFormat: how a model's conversations are rendered, and how its answers are read.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gguf/gguf.h"
#include "text/answer_format.h"
#include "text/chat_messages.h"
#include "text/jinja/template.h"
#include "text/text_guard.h"

namespace kvsplit::text {

// Thread-safe unless fall_back() is called.
class ChatFormat {
  public:
    // The file's own template. If there is none, or it cannot be parsed or fails to render a single "Hi":
    // ChatML or Gemma's format if the file looks like such a model, else plain lines. Throws Error(kFormat)
    // if the metadata is damaged.
    static ChatFormat of_model(const gguf::File& file);
    // A template given by the user, with the model's tokens. name: its path, for messages. Throws
    // TemplateError.
    static ChatFormat of_template(const gguf::File& file, std::string_view source, const std::string& name);

    // For display: "chatml", "gemma", "llama3", "plain", or "template" for others.
    std::string_view name() const;
    // Whether the model is known to be made for conversations.
    bool is_stated() const { return is_stated_; }
    // A note to the user if the format was guessed, else "".
    const std::string& notice() const { return notice_; }
    // What ends an answer in addition to the end-of-generation tokens: a token (kNoToken: none), or a text if
    // the format's end of turn is not a token ("": none).
    Token end_token() const { return end_token_; }
    const std::string& stop() const { return stop_; }
    // How answers divide into parts.
    const AnswerFormat& answers() const { return answers_; }
    // False: the template refuses or drops system messages; render() puts them at the start of the user's
    // first message.
    bool takes_system() const { return takes_system_; }
    const TextGuard& guard() const { return guard_; }

    // The prompt as text. Uses the template named tool_use if there are tools and the model has one. Throws
    // TemplateError, also if the template refuses the conversation.
    std::string render(const ChatInput& input, const jinja::RenderOptions& options = {}) const;
    // The same with guard()'s marks; guard().cut() then splits it into pieces to encode, so that control
    // tokens come only from the template.
    std::string render_marked(const ChatInput& input, const jinja::RenderOptions& options = {}) const;

    // After the model's template has failed, replaces it as if the file had none. False: the template is the
    // user's, or was already replaced.
    bool fall_back(const jinja::TemplateError& error);

  private:
    ChatFormat() = default;
    void read_tokens(const gguf::File& file);
    // Returns why the default template cannot be used, "" if it can or there is none.
    std::string read_templates(const gguf::File& file);
    void guess(const std::string& broken);
    void learn();
    void find_end();
    void find_answers();
    // Renders messages; nothing if the template fails.
    std::optional<std::string> probe(const Json& messages, bool add_generation_prompt) const;

    std::map<std::string, std::shared_ptr<const jinja::Template>> templates_;  // by name; "" is the default
    std::string source_;                                                       // of the default template
    Json tokens_ = Json::object();                                             // "bos_token" and the like
    TextGuard guard_;
    AnswerFormat answers_;
    bool adds_bos_ = false;  // the tokenizer puts the start token in front by itself
    bool is_stated_ = true, takes_system_ = true;
    bool is_own_ = false;  // the template is the model's
    bool is_gemma_ = false, has_chatml_tokens_ = false;
    std::string notice_, stop_;
    std::string end_text_;  // of a turn, token or not
    Token end_token_ = kNoToken;
};

}  // namespace kvsplit::text
