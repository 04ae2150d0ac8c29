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

// Gemma has no system role: a system prompt opens the first turn.
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

// The ends of turns that identify a format.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kNames = {
    {{"<|im_end|>", "chatml"}, {"<end_of_turn>", "gemma"}, {"<|eot_id|>", "llama3"}, {kPlainStop, "plain"}}};

// Texts to probe templates with, and the work allowed for it: a fraction of a second.
constexpr std::string_view kQuestion = "Hi", kAnswer = "kvsplit's stand-in for an answer",
                           kReasoning = "kvsplit's stand-in for a reasoning",
                           kSystem = "kvsplit's stand-in for a system prompt";
constexpr std::size_t kProbeWork = 20'000'000;

std::shared_ptr<const jinja::Template> make_template(std::string_view source, const std::string& name) {
    return std::make_shared<const jinja::Template>(source, name);
}

jinja::RenderOptions probe_options() {
    jinja::RenderOptions options;
    options.limits.work = kProbeWork;
    return options;
}

// text[begin, end), or nothing if that is not a range.
std::string_view between(std::string_view text, std::size_t begin, std::size_t end) {
    return begin <= end && end != text.npos ? text.substr(begin, end - begin) : std::string_view{};
}

}  // namespace

ChatFormat ChatFormat::of_model(const gguf::File& file) {
    ChatFormat out;
    out.read_tokens(file);
    std::string broken = out.read_templates(file);
    out.is_own_ = out.templates_.contains("");
    if (out.is_own_) {
        try {
            ChatInput first;
            first.messages.push_back(chat_message("user", kQuestion));
            out.render(first, probe_options());
        } catch (const jinja::TemplateError& error) {
            broken = error.what();
            out.is_own_ = false;
        }
    }
    if (!out.is_own_) out.guess(broken);
    out.learn();
    return out;
}

ChatFormat ChatFormat::of_template(const gguf::File& file, std::string_view source, const std::string& name) {
    ChatFormat out;
    out.read_tokens(file);
    out.templates_[""] = make_template(source, name);
    out.source_ = source;
    out.learn();
    return out;
}

bool ChatFormat::fall_back(const jinja::TemplateError& error) {
    if (!is_own_) return false;
    is_own_ = false;
    guess(error.what());
    learn();
    return true;
}

// The names of special tokens in transformers.
void ChatFormat::read_tokens(const gguf::File& file) {
    constexpr std::array<std::pair<const char*, const char*>, 6> kTokens = {
        {{"bos_token", "tokenizer.ggml.bos_token_id"},
         {"eos_token", "tokenizer.ggml.eos_token_id"},
         {"unk_token", "tokenizer.ggml.unknown_token_id"},
         {"sep_token", "tokenizer.ggml.seperator_token_id"},
         {"pad_token", "tokenizer.ggml.padding_token_id"},
         {"mask_token", "tokenizer.ggml.mask_token_id"}}};
    is_gemma_ = file.get_string_or("general.architecture", "").starts_with("gemma");
    if (!file.has("tokenizer.ggml.tokens")) return;
    const auto tokens = file.get_string_array("tokenizer.ggml.tokens");
    for (const auto& [name, key] : kTokens) {
        const std::int64_t id = file.get_i64_or(key, -1);
        if (id >= 0 && static_cast<std::size_t>(id) < tokens.size())
            tokens_[name] = tokens[static_cast<std::size_t>(id)];
    }
    const auto has_token = [&](std::string_view text) {
        return std::ranges::find(tokens, text) != tokens.end();
    };
    has_chatml_tokens_ = has_token("<|im_start|>") && has_token("<|im_end|>");
    if (!file.has("tokenizer.ggml.model")) return;
    const Vocab vocab(VocabData::read(file));
    adds_bos_ = vocab.data().add_bos;
    guard_ = TextGuard(vocab);
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
            if (is_default) source_ = source;
        } catch (const jinja::TemplateError& error) {
            if (is_default) broken = error.what();
        }
    }
    return broken;
}

void ChatFormat::guess(const std::string& broken) {
    is_stated_ = !broken.empty();
    const std::string why = broken.empty() ? "the model has no chat template"
                                           : "the model's chat template cannot be used (" + broken + ")";
    std::string_view source = kPlain;
    std::string name = "the plain chat format";
    stop_.clear();
    if (is_gemma_) {
        source = kGemma;
        name = "Gemma's chat format";
        notice_ = why + ": using Gemma's format";
    } else if (has_chatml_tokens_) {
        source = kChatMl;
        name = "the ChatML format";
        notice_ = why + ": using ChatML, for which it has tokens";
    } else {
        stop_ = kPlainStop;
        notice_ = why + ": using plain \"User:\" and \"Assistant:\" lines";
    }
    templates_[""] = make_template(source, name);
    source_ = source;
}

std::optional<std::string> ChatFormat::probe(const Json& messages, bool add_generation_prompt) const {
    ChatInput input;
    input.messages = messages;
    input.add_generation_prompt = add_generation_prompt;
    try {
        return render(input, probe_options());
    } catch (const jinja::TemplateError&) {
        return std::nullopt;  // it needs more than a plain conversation
    }
}

void ChatFormat::learn() {
    takes_system_ = true;
    const auto with_system = probe({chat_message("system", kSystem), chat_message("user", kQuestion)}, true);
    takes_system_ = (with_system && with_system->find(kSystem) != std::string::npos) ||
                    !probe(Json::array({chat_message("user", kQuestion)}), true);
    find_end();
    find_answers();
}

// The end of an answer as the template writes it: a token, or text up to the end of the line.
void ChatFormat::find_end() {
    end_text_ = stop_;
    end_token_ = kNoToken;
    if (!stop_.empty()) return;
    constexpr std::size_t kLongestStop = 64;
    const Json user = chat_message("user", kQuestion), answer = chat_message("assistant", kAnswer);
    const auto after = [&](const std::string& text) {
        const std::size_t at = text.rfind(kAnswer);
        return at == text.npos ? std::string{} : std::string(strip_left(text.substr(at + kAnswer.size())));
    };
    const std::string last = after(probe({user, answer}, false).value_or(""));
    // Some templates end an answer only if another turn follows.
    for (const std::string& rest :
         {last, last.empty() ? after(probe({user, answer, user}, true).value_or("")) : ""}) {
        if (const std::string_view token = guard_.token_at_start(rest); !token.empty()) {
            end_text_ = token;
            end_token_ = guard_.token(token);
            return;
        }
    }
    const std::string_view end = strip(std::string_view(last).substr(0, last.find('\n')));
    if (end.size() <= kLongestStop) end_text_ = stop_ = end;
}

void ChatFormat::find_answers() {
    answers_ = AnswerFormat::find(source_, guard_);
    if (!answers_.marks.empty()) return;
    const Json user = chat_message("user", kQuestion);
    Json answer = chat_message("assistant", kAnswer);
    answer["reasoning_content"] = kReasoning;
    const auto prompt = probe(Json::array({user}), true), text = probe({user, answer}, false);
    if (!prompt || !text) return;
    const std::size_t reasoning = text->find(kReasoning), content = text->rfind(kAnswer);
    if (reasoning == text->npos || content == text->npos) return;
    const bool opened = text->starts_with(*prompt);
    std::string_view before = opened ? between(*text, prompt->size(), reasoning) : std::string_view{};
    if (opened && strip(before).empty()) before = *prompt;
    const auto tags =
        AnswerFormat::of_tags(before, between(*text, reasoning + kReasoning.size(), content), guard_);
    answers_.marks = tags.marks;
}

std::string_view ChatFormat::name() const {
    for (const auto& [stop, name] : kNames)
        if (end_text_ == stop) return name;
    return "template";
}

std::string ChatFormat::render(const ChatInput& input, const jinja::RenderOptions& options) const {
    ChatInput folded;
    if (!takes_system_) {
        folded = input;
        folded.messages = fold_system_message(input.messages);
    }
    Json variables = tokens_;
    variables.update(template_variables(takes_system_ ? input : folded));
    auto chosen = templates_.find("");
    const bool has_tools = input.tools.is_array() && !input.tools.empty();
    if (const auto it = templates_.find("tool_use"); has_tools && it != templates_.end()) chosen = it;
    std::string prompt = chosen->second->render(variables, options);

    const std::string bos = adds_bos_ ? tokens_.value("bos_token", "") : "";
    if (!bos.empty() && prompt.starts_with(bos)) prompt.erase(0, bos.size());
    return prompt;
}

std::string ChatFormat::render_marked(const ChatInput& input, const jinja::RenderOptions& options) const {
    return render(protect(input, guard_), options);
}

}  // namespace kvsplit::text
