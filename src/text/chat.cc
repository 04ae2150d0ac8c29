#include "text/chat.h"

#include <algorithm>

#include "base/error.h"
#include "text/utf8.h"

namespace kvsplit::text {
namespace {

// ChatML templates that add a system message of their own have it as a literal:
// <|im_start|>system\nTEXT<|im_end|>, the line's end as such or as an escape.
std::string default_system_of(std::string_view chat_template) {
    constexpr std::string_view kStart = "<|im_start|>system", kEnd = "<|im_end|>";
    for (std::size_t at = 0; (at = chat_template.find(kStart, at)) != std::string_view::npos;) {
        at += kStart.size();
        std::string_view rest = chat_template.substr(at);
        if (rest.starts_with("\n")) {
            rest.remove_prefix(1);
        } else if (rest.starts_with("\\n")) {
            rest.remove_prefix(2);
        } else {
            continue;
        }
        const std::size_t end = rest.find(kEnd);
        if (end == std::string_view::npos) break;
        const std::string_view text = rest.substr(0, end);
        if (!text.empty() && text.find_first_of("'\"{}\\") == std::string_view::npos)
            return std::string{text};
    }
    return {};
}

std::string render_chatml(std::span<const ChatMessage> messages, const std::string& default_system) {
    std::string out;
    const auto add = [&](std::string_view role, std::string_view content) {
        out.append("<|im_start|>").append(role).append("\n").append(content).append("<|im_end|>\n");
    };
    if (!messages.empty() && messages[0].role != "system" && !default_system.empty())
        add("system", default_system);
    for (const ChatMessage& message : messages) add(message.role, message.content);
    return out;
}

// Gemma has no system role: such a text opens the first turn.
std::string render_gemma(std::span<const ChatMessage> messages) {
    std::string out, opening;
    if (!messages.empty() && messages[0].role == "system") {
        opening = messages[0].content + "\n\n";
        messages = messages.subspan(1);
    }
    for (std::size_t i = 0; i < messages.size(); ++i) {
        if (messages[i].role != (i % 2 == 0 ? "user" : "assistant")) {
            fail(ErrorCode::kInvalidArgument,
                 "Gemma's chat format wants user and assistant by turns after an optional system message, "
                 "not '{}'",
                 messages[i].role);
        }
        out.append("<start_of_turn>").append(i % 2 == 0 ? "user" : "model").append("\n");
        if (i == 0) out += opening;
        out.append(strip(messages[i].content)).append("<end_of_turn>\n");
    }
    return out;
}

std::string render_plain(std::span<const ChatMessage> messages) {
    std::string out;
    for (const ChatMessage& message : messages) {
        if (message.role == "system") {
            out.append(message.content).append("\n\n");
        } else if (message.role == "user" || message.role == "assistant") {
            out.append(message.role == "user" ? "User: " : "Assistant: ")
                .append(message.content)
                .append("\n");
        } else {
            fail(ErrorCode::kInvalidArgument, "the plain chat format has no role '{}'", message.role);
        }
    }
    return out;
}

}  // namespace

ChatFormat ChatFormat::detect(const gguf::File& file) {
    const std::string chat_template = file.get_string_or("tokenizer.chat_template", "");
    const auto has = [&](std::string_view text) { return chat_template.find(text) != std::string::npos; };
    if (has("<|im_start|>")) return {Kind::kChatMl, default_system_of(chat_template), ""};
    if (has("<start_of_turn>")) return {Kind::kGemma, "", ""};

    const std::string why = chat_template.empty() ? "the model has no chat template"
                                                  : "the model's chat template is not one that kvsplit knows";
    if (file.get_string_or("general.architecture", "").starts_with("gemma")) {
        return {Kind::kGemma, "", why + ": using Gemma's format"};
    }
    const auto tokens = file.has("tokenizer.ggml.tokens") ? file.get_string_array("tokenizer.ggml.tokens")
                                                          : std::vector<std::string_view>{};
    const auto has_token = [&](std::string_view text) {
        return std::find(tokens.begin(), tokens.end(), text) != tokens.end();
    };
    if (has_token("<|im_start|>") && has_token("<|im_end|>")) {
        return {Kind::kChatMl, "", why + ": using ChatML, for which it has tokens"};
    }
    return {Kind::kPlain, "", why + ": using plain \"User:\" and \"Assistant:\" lines"};
}

std::string_view ChatFormat::name() const {
    return kind == Kind::kChatMl ? "chatml" : kind == Kind::kGemma ? "gemma" : "plain";
}

std::string_view ChatFormat::stop() const {
    return kind == Kind::kChatMl ? "<|im_end|>" : kind == Kind::kGemma ? "<end_of_turn>" : "\nUser:";
}

std::string ChatFormat::render(std::span<const ChatMessage> messages, bool add_generation_prompt) const {
    switch (kind) {
        case Kind::kChatMl:
            return render_chatml(messages, default_system) +
                   (add_generation_prompt ? "<|im_start|>assistant\n" : "");
        case Kind::kGemma:
            return render_gemma(messages) + (add_generation_prompt ? "<start_of_turn>model\n" : "");
        case Kind::kPlain:
            break;
    }
    return render_plain(messages) + (add_generation_prompt ? "Assistant:" : "");
}

}  // namespace kvsplit::text
