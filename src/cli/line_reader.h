// Reads lines from standard input: a terminal or a pipe.
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

// Passes bytes unchanged, even if not UTF-8; lines may have any length. For the main thread only.
class LineReader {
  public:
    // Chooses a reader for what standard input and standard error are. history: whether to keep lines in a
    // file for later conversations.
    static std::unique_ptr<LineReader> create(bool history);
    virtual ~LineReader() = default;

    // Shows the prompt on stderr at a terminal, and waits for a line. Throws Error(kIo).
    virtual InputLine next(std::string_view prompt) = 0;
    // Adds a text to the history for the arrow keys.
    virtual void remember(const std::string& /*text*/) {}
    // Whether remember() does anything.
    virtual bool remembers() const { return false; }
};

}  // namespace kvsplit::cli
