// ChatInput: a conversation as chat templates expect it.
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/template.h"
#include "text/text_guard.h"

namespace kvsplit::text {

using Json = jinja::Json;

// What a model is to go on from, in the shapes of OpenAI's API.
struct ChatInput {
    Json messages = Json::array();    // objects with "role", "content", and perhaps "tool_calls" and the like
    Json tools;                       // an array; null: none
    Json documents;                   // an array; null: none
    Json variables = Json::object();  // of the template's own: {"enable_thinking": false}
    bool add_generation_prompt = true;  // end where the assistant's answer begins
};

Json chat_message(std::string_view role, std::string_view content);

// The variables of the same names, prepared as transformers does it: keys of messages whose value is null are
// left out, and what a model thought stands under each name that templates look for. Throws
// Error(kInvalidArgument) for messages that are no objects.
Json template_variables(const ChatInput& input);

// The same conversation with all texts of people and of the model marked. Roles are left as they are, and so
// are variables named "..._token": who sets these means tokens.
ChatInput protect(const ChatInput& input, const TextGuard& guard);

// For templates without a role for it: a system message at the beginning opens the first user's message.
Json fold_system_message(const Json& messages);

}  // namespace kvsplit::text
