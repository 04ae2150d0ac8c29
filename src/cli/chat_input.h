// What a person types into a conversation: messages, and commands.
#pragma once

#include <memory>
#include <string>

#include "cli/line_reader.h"

namespace kvsplit::cli {

struct ChatEntry {
    enum class Kind { kMessage, kCommand, kEnd } kind = Kind::kEnd;
    std::string text = {};  // of a command: one of those that ChatInput knows
};

// A command is one of /help, /reset, /stats, /kv, /exit and /quit alone on a line; everything else is a
// message, also where it begins with a slash. Another /word alone is most often a slip: a note says so, and
// only where it cannot be brought back with an arrow key it is sent as it is. //word sends /word. A line that
// ends in \ goes on in the next one.
class ChatInput {
  public:
    // history: whether what is typed at a terminal is kept for the next conversation.
    explicit ChatInput(bool history);

    // The next entry; empty lines are passed over. Throws Error(kIo).
    ChatEntry next();

  private:
    InputLine read_message();

    std::unique_ptr<LineReader> lines_;
    bool first_ = true;
};

}  // namespace kvsplit::cli
