// What the user types in a conversation: messages and commands.
#pragma once

#include <memory>
#include <string>

#include "cli/line_reader.h"

namespace kvsplit::cli {

struct ChatEntry {
    enum class Kind { kMessage, kCommand, kEnd } kind = Kind::kEnd;
    std::string text = {};  // of a command: one known to ChatInput
};

// A command is one of /help, /reset, /stats, /kv, /exit and /quit alone on a line; everything else is a
// message, even if it begins with a slash. Any other /word alone is probably a typo: a note says so, and it
// is sent only if an arrow key cannot bring it back. //word sends /word. A line ending in \ continues on the
// next.
class ChatInput {
  public:
    // history: whether to keep what is typed at a terminal for later conversations.
    explicit ChatInput(bool history);

    // The next entry; skips empty lines. Throws Error(kIo).
    ChatEntry next();

  private:
    InputLine read_message();

    std::unique_ptr<LineReader> lines_;
    bool first_ = true;
};

}  // namespace kvsplit::cli
