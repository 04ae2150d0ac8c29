// Chat formats: a conversation as the prompt that the model was trained on.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "gguf/gguf.h"
#include "text/jinja/template.h"

namespace kvsplit::text {

using Json = jinja::Json;

// What a model is to go on from, in the shapes of OpenAI's API, as chat templates expect them.
struct ChatInput {
    Json messages = Json::array();    // objects with "role", "content", and perhaps "tool_calls" and the like
    Json tools;                       // an array; null: none
    Json documents;                   // an array; null: none
    Json variables = Json::object();  // of the template's own: {"enable_thinking": false}
    bool add_generation_prompt = true;  // end where the assistant's answer begins
};

// The variables of the same names, prepared as transformers does it: keys of messages whose value is null are
// left out, and what a model thought stands under each name that templates look for. Throws
// Error(kInvalidArgument) for messages that are no objects.
Json template_variables(const ChatInput& input);

Json chat_message(std::string_view role, std::string_view content);

// Thread-safe: never changes once made.
class ChatFormat {
  public:
    // The file's own template. Without one that can be used: ChatML or Gemma's format if the file looks like
    // such a model, else plain lines. Throws Error(kFormat) where the metadata is damaged.
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
    // The text at which an answer ends, beside the end-of-generation tokens; "" = none.
    const std::string& stop() const { return stop_; }

    // The prompt, to be encoded with add_bos and parse_special. The template named tool_use is taken if there
    // are tools and the model has one. Throws TemplateError, also where the template refuses the
    // conversation.
    std::string render(const ChatInput& input, const jinja::RenderOptions& options = {}) const;

  private:
    ChatFormat() = default;
    void read_tokens(const gguf::File& file);
    // Returns why the default template cannot be used, "" if it can or there is none.
    std::string read_templates(const gguf::File& file);
    void guess(const gguf::File& file, const std::string& broken);
    void find_stop();

    std::map<std::string, std::shared_ptr<const jinja::Template>> templates_;  // by name; "" is the default
    Json tokens_ = Json::object();                                             // "bos_token" and the like
    bool adds_bos_ = false;  // the tokenizer puts the start token in front by itself
    bool is_stated_ = true;
    std::string notice_, stop_;
};

}  // namespace kvsplit::text
