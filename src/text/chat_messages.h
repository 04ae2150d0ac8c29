// ChatInput: a conversation in the form that chat templates expect.
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/template.h"
#include "text/text_guard.h"

namespace kvsplit::text {

using Json = jinja::Json;

// A conversation to continue, in the shapes of OpenAI's API.
struct ChatInput {
    Json messages = Json::array();    // objects with "role", "content", and perhaps "tool_calls" and the like
    Json tools;                       // an array; null: none
    Json documents;                   // an array; null: none
    Json variables = Json::object();  // of the template's own: {"enable_thinking": false}
    bool add_generation_prompt = true;  // end where the assistant's answer begins
};

Json chat_message(std::string_view role, std::string_view content);

// The template's variables, prepared as transformers does: null values in messages are left out, and
// reasoning appears under every name that templates use. Throws Error(kInvalidArgument) for messages that are
// not objects.
Json template_variables(const ChatInput& input);

// The same conversation with all texts of users and of the model marked by the guard. Roles stay unmarked,
// and so do variables named "..._token", which are meant as tokens.
ChatInput protect(const ChatInput& input, const TextGuard& guard);

// For templates without a system role: moves a leading system message to the start of the first user message.
Json fold_system_message(const Json& messages);

}  // namespace kvsplit::text
