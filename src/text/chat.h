// Chat formats: a conversation as the prompt that the model was trained on.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "gguf/gguf.h"

namespace kvsplit::text {

struct ChatMessage {
    std::string role;  // "system", "user" or "assistant"
    std::string content;
};

// Thread-safe: a plain value.
struct ChatFormat {
    enum class Kind {
        kPlain,   // "user: ...\nassistant: ...", for models that know no format
        kChatMl,  // <|im_start|>role\n...<|im_end|>\n
        kGemma,   // <start_of_turn>role\n...<end_of_turn>\n
    };
    Kind kind = Kind::kPlain;
    std::string default_system;  // put first where a conversation has no system message; "" = none
    std::string notice;          // for the user, if the format was guessed; "" = the file states it

    // From tokenizer.chat_template, else from the architecture and the tokens that the file has. Throws
    // Error(kFormat) where the metadata is damaged.
    static ChatFormat detect(const gguf::File& file);
    // "chatml", "gemma", "plain".
    std::string_view name() const;
    // The text at which an answer in this format ends, beside the end-of-generation tokens; "" = none.
    std::string_view stop() const;

    // The prompt, to be encoded with add_bos and parse_special. With add_generation_prompt it ends where the
    // assistant's answer begins. Throws Error(kInvalidArgument) for roles that the format has no place for.
    std::string render(std::span<const ChatMessage> messages, bool add_generation_prompt) const;
};

}  // namespace kvsplit::text
