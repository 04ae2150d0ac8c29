// ChatFormat: how a model's conversations are written, and what it makes of answers.
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

// Thread-safe as long as nobody calls fall_back().
class ChatFormat {
  public:
    // The file's own template. Without one that can be used, be it that it cannot be read or that it fails to
    // render a single "Hi": ChatML or Gemma's format if the file looks like such a model, else plain lines.
    // Throws Error(kFormat) where the metadata is damaged.
    static ChatFormat of_model(const gguf::File& file);
    // A template given by the user, with the tokens of the model. name: for messages, its path. Throws
    // TemplateError.
    static ChatFormat of_template(const gguf::File& file, std::string_view source, const std::string& name);

    // For people: "chatml", "gemma", "llama3", "plain", or "template" for others.
    std::string_view name() const;
    // Whether the model is known to be made for conversations.
    bool is_stated() const { return is_stated_; }
    // For the user, if the format was guessed; "" = it was not.
    const std::string& notice() const { return notice_; }
    // What ends an answer beside the end-of-generation tokens: a token, kNoToken = none; or a text where the
    // format ends turns with something that is no token, "" = none.
    Token end_token() const { return end_token_; }
    const std::string& stop() const { return stop_; }
    // How answers divide into parts.
    const AnswerFormat& answers() const { return answers_; }
    // False: the template refuses or drops system messages, which render() puts before the user's first one.
    bool takes_system() const { return takes_system_; }
    const TextGuard& guard() const { return guard_; }

    // The prompt as text. The template named tool_use is taken if there are tools and the model has one.
    // Throws TemplateError, also where the template refuses the conversation.
    std::string render(const ChatInput& input, const jinja::RenderOptions& options = {}) const;
    // The same with the marks of guard(), to be cut by it into what can be encoded: control tokens come from
    // the template alone.
    std::string render_marked(const ChatInput& input, const jinja::RenderOptions& options = {}) const;

    // Gives the model's template up for the formats of files without one, after it has failed. False: the
    // template is the user's, or was given up before.
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
    // What the template makes of messages; nothing if it fails.
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
