#include "text/chat.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "text/utf8.h"
#include "text/vocab.h"

namespace kvsplit::text {
namespace {

constexpr std::string_view kTemplateKey = "tokenizer.chat_template";

// Formats for files that have no template.
constexpr std::string_view kChatMl =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{{ '<|im_start|>assistant\\n' if add_generation_prompt }}";

// Gemma has no system role: such a text opens the first turn.
constexpr std::string_view kGemma =
    "{% set opening = '' %}"
    "{% if messages and messages[0].role == 'system' %}"
    "{% set opening = messages[0].content + '\\n\\n' %}"
    "{% set messages = messages[1:] %}"
    "{% endif %}"
    "{% for message in messages %}"
    "{% if message.role != ('user' if loop.index0 is even else 'assistant') %}"
    "{{ raise_exception('Gemma wants user and assistant by turns after an optional system message, not '"
    " ~ message.role) }}"
    "{% endif %}"
    "{{ '<start_of_turn>' ~ ('user' if loop.index0 is even else 'model') ~ '\\n' }}"
    "{{ (opening if loop.first else '') ~ (message.content | trim) ~ '<end_of_turn>\\n' }}"
    "{% endfor %}"
    "{{ '<start_of_turn>model\\n' if add_generation_prompt }}";

constexpr std::string_view kPlain =
    "{% set names = {'user': 'User: ', 'assistant': 'Assistant: '} %}"
    "{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content + '\\n\\n' }}"
    "{% elif message.role in names %}{{ names[message.role] + message.content + '\\n' }}"
    "{% else %}{{ raise_exception('the plain chat format has no role ' ~ message.role) }}{% endif %}"
    "{% endfor %}"
    "{{ 'Assistant:' if add_generation_prompt }}";
constexpr std::string_view kPlainStop = "\nUser:";

// The ends of turns by which people know a format.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kNames = {
    {{"<|im_end|>", "chatml"}, {"<end_of_turn>", "gemma"}, {"<|eot_id|>", "llama3"}, {kPlainStop, "plain"}}};

std::shared_ptr<const jinja::Template> make_template(std::string_view source, const std::string& name) {
    return std::make_shared<const jinja::Template>(source, name);
}

Json prepared_message(const Json& message) {
    if (!message.is_object()) fail(ErrorCode::kInvalidArgument, "messages: an object is expected");
    Json out = Json::object(), reasoning;
    for (const char* key : {"reasoning_content", "thinking", "reasoning"})
        if (reasoning.is_null() && message.contains(key)) reasoning = message[key];
    if (!reasoning.is_null()) out["thinking"] = reasoning;
    for (const auto& [key, value] : message.items())
        if (!value.is_null()) out[key] = value;
    if (!reasoning.is_null()) out["reasoning_content"] = reasoning;
    return out;
}

}  // namespace

Json template_variables(const ChatInput& input) {
    if (!input.messages.is_array()) fail(ErrorCode::kInvalidArgument, "messages: an array is expected");
    Json messages = Json::array();
    for (const Json& message : input.messages) messages.push_back(prepared_message(message));
    Json out{{"messages", std::move(messages)},
             {"tools", input.tools},
             {"documents", input.documents},
             {"add_generation_prompt", input.add_generation_prompt}};
    out.update(input.variables);
    return out;
}

Json chat_message(std::string_view role, std::string_view content) {
    return {{"role", role}, {"content", content}};
}

ChatFormat ChatFormat::of_model(const gguf::File& file) {
    ChatFormat out;
    out.read_tokens(file);
    const std::string broken = out.read_templates(file);
    if (!out.templates_.contains("")) out.guess(file, broken);
    out.find_stop();
    return out;
}

ChatFormat ChatFormat::of_template(const gguf::File& file, std::string_view source, const std::string& name) {
    ChatFormat out;
    out.read_tokens(file);
    out.templates_[""] = make_template(source, name);
    out.find_stop();
    return out;
}

// The names that transformers gives to special tokens.
void ChatFormat::read_tokens(const gguf::File& file) {
    constexpr std::array<std::pair<const char*, const char*>, 6> kTokens = {
        {{"bos_token", "tokenizer.ggml.bos_token_id"},
         {"eos_token", "tokenizer.ggml.eos_token_id"},
         {"unk_token", "tokenizer.ggml.unknown_token_id"},
         {"sep_token", "tokenizer.ggml.seperator_token_id"},
         {"pad_token", "tokenizer.ggml.padding_token_id"},
         {"mask_token", "tokenizer.ggml.mask_token_id"}}};
    if (!file.has("tokenizer.ggml.tokens")) return;
    const auto tokens = file.get_string_array("tokenizer.ggml.tokens");
    for (const auto& [name, key] : kTokens) {
        const std::int64_t id = file.get_i64_or(key, -1);
        if (id >= 0 && static_cast<std::size_t>(id) < tokens.size())
            tokens_[name] = tokens[static_cast<std::size_t>(id)];
    }
    if (file.has("tokenizer.ggml.model")) adds_bos_ = VocabData::read(file).add_bos;
}

std::string ChatFormat::read_templates(const gguf::File& file) {
    std::string broken;
    for (const gguf::Value& value : file.metadata()) {
        const std::string key(value.key);
        const bool is_default = key == kTemplateKey;
        if (!is_default && !key.starts_with(std::string(kTemplateKey) + ".")) continue;
        const std::string name = is_default ? "" : key.substr(kTemplateKey.size() + 1);
        const std::string source = file.get_string(key);
        if (strip(source).empty()) continue;
        try {
            templates_[name] = make_template(source, file.path() + ": " + key);
        } catch (const jinja::TemplateError& error) {
            if (is_default) broken = error.what();
        }
    }
    return broken;
}

void ChatFormat::guess(const gguf::File& file, const std::string& broken) {
    const auto tokens = file.has("tokenizer.ggml.tokens") ? file.get_string_array("tokenizer.ggml.tokens")
                                                          : std::vector<std::string_view>{};
    const auto has_token = [&](std::string_view text) {
        return std::find(tokens.begin(), tokens.end(), text) != tokens.end();
    };
    is_stated_ = !broken.empty();
    const std::string why = broken.empty() ? "the model has no chat template"
                                           : "the model's chat template cannot be used (" + broken + ")";
    if (file.get_string_or("general.architecture", "").starts_with("gemma")) {
        templates_[""] = make_template(kGemma, "Gemma's chat format");
        notice_ = why + ": using Gemma's format";
    } else if (has_token("<|im_start|>") && has_token("<|im_end|>")) {
        templates_[""] = make_template(kChatMl, "the ChatML format");
        notice_ = why + ": using ChatML, for which it has tokens";
    } else {
        templates_[""] = make_template(kPlain, "the plain chat format");
        stop_ = kPlainStop;
        notice_ = why + ": using plain \"User:\" and \"Assistant:\" lines";
    }
}

// What the template writes behind an answer, up to the end of its line.
void ChatFormat::find_stop() {
    if (!stop_.empty()) return;
    constexpr std::string_view kAnswer = "kvsplit's stand-in for an answer";
    constexpr std::size_t kLongestStop = 64;
    ChatInput probe;
    probe.messages = {chat_message("user", "Hi"), chat_message("assistant", kAnswer)};
    probe.add_generation_prompt = false;
    try {
        const std::string text = render(probe);
        const std::size_t at = text.rfind(kAnswer);
        if (at == text.npos) return;
        const std::string_view rest = strip_left(std::string_view(text).substr(at + kAnswer.size()));
        const std::string_view end = strip(rest.substr(0, rest.find('\n')));
        if (end.size() <= kLongestStop) stop_ = end;
    } catch (const jinja::TemplateError&) {
        // It wants more than a plain conversation has; the end-of-generation tokens must do.
    }
}

std::string_view ChatFormat::name() const {
    for (const auto& [stop, name] : kNames)
        if (stop_ == stop) return name;
    return "template";
}

std::string ChatFormat::render(const ChatInput& input, const jinja::RenderOptions& options) const {
    Json variables = tokens_;
    variables.update(template_variables(input));
    auto chosen = templates_.find("");
    const bool has_tools = input.tools.is_array() && !input.tools.empty();
    if (const auto it = templates_.find("tool_use"); has_tools && it != templates_.end()) chosen = it;
    std::string prompt = chosen->second->render(variables, options);

    const std::string bos = adds_bos_ ? tokens_.value("bos_token", "") : "";
    if (!bos.empty() && prompt.starts_with(bos)) prompt.erase(0, bos.size());
    return prompt;
}

}  // namespace kvsplit::text
