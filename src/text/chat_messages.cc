#include "text/chat_messages.h"

#include <algorithm>

#include "base/error.h"
#include "text/jinja/runtime.h"

namespace kvsplit::text {
namespace {

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

// Whether text is a single word, which templates may compare.
bool is_word(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-';
    });
}

// Values nested too deep for a template stay unchanged: rendering refuses them.
Json protect(const Json& value, const TextGuard& guard, int depth = 0) {
    if (depth > jinja::kMaxValueDepth) return value;
    if (value.is_string()) return guard.protect(value.get_ref<const std::string&>());
    if (value.is_array()) {
        Json out = Json::array();
        for (const Json& item : value) out.push_back(protect(item, guard, depth + 1));
        return out;
    }
    if (!value.is_object()) return value;
    Json out = Json::object();
    for (const auto& [key, item] : value.items()) {
        const bool kind = (key == "role" || key == "type") && item.is_string();
        const bool known = kind && is_word(item.get_ref<const std::string&>());
        out[is_word(key) ? key : guard.protect(key)] = known ? item : protect(item, guard, depth + 1);
    }
    return out;
}

bool has_role(const Json& message, std::string_view role) {
    return message.is_object() && message.contains("role") && message["role"] == role;
}

}  // namespace

Json chat_message(std::string_view role, std::string_view content) {
    return {{"role", role}, {"content", content}};
}

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

ChatInput protect(const ChatInput& input, const TextGuard& guard) {
    ChatInput out = input;
    for (Json* part : {&out.messages, &out.tools, &out.documents}) *part = protect(*part, guard);
    for (const auto& [name, value] : input.variables.items())
        if (!name.ends_with("_token")) out.variables[name] = protect(value, guard);
    return out;
}

Json fold_system_message(const Json& messages) {
    if (!messages.is_array() || messages.empty() || !has_role(messages[0], "system")) return messages;
    const Json system = messages[0].value("content", Json());
    const auto user = std::ranges::find_if(messages, [](const Json& m) { return has_role(m, "user"); });
    if (user == messages.end() || !system.is_string()) return messages;
    const std::string opening = system.get<std::string>() + "\n\n";
    Json out = messages;
    Json& content = out[static_cast<std::size_t>(user - messages.begin())]["content"];
    if (content.is_string()) {
        content = opening + content.get<std::string>();
    } else if (content.is_array()) {
        content.insert(content.begin(), Json{{"type", "text"}, {"text", opening}});
    } else {
        return messages;
    }
    out.erase(std::size_t{0});
    return out;
}

}  // namespace kvsplit::text
