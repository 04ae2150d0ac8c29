// The lines that come in on standard input: from a person at a terminal, or from a pipe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace kvsplit::cli {

struct InputLine {
    enum class Kind {
        kText,
        kEnd,          // of the input; Ctrl-D
        kInterrupted,  // Ctrl-C on an empty line
    };
    Kind kind = Kind::kEnd;
    std::string text = {};  // without the line's end; holds several lines if they were pasted together
};

// Bytes pass as they come, be they UTF-8 or not, and lines may have any length. On the main thread only.
class LineReader {
  public:
    // edits: whether a person can correct what they type; chosen for standard input and standard error as
    // they are. history: whether lines are kept in a file for the next conversation.
    static std::unique_ptr<LineReader> create(bool history);
    virtual ~LineReader() = default;

    // Shows the prompt on stderr if a person is there, and waits for a line. Throws Error(kIo).
    virtual InputLine next(std::string_view prompt) = 0;
    // Makes a text one of those that the arrow keys bring back.
    virtual void remember(const std::string& /*text*/) {}
    // Whether remember() does anything.
    virtual bool remembers() const { return false; }
};

}  // namespace kvsplit::cli
