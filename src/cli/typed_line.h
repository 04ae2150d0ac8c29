// TypedLine: a line typed without a line editor, and the echo of each byte.
#pragma once

#include <cstddef>
#include <string>

namespace kvsplit::cli {

// Backspace deletes a character, Ctrl-U all of them, Ctrl-D on an empty line ends the input. Pasted text
// (between the marks of bracketed paste) may have several lines. Other keys are ignored.
class TypedLine {
  public:
    // Adds a byte; returns what the terminal should show.
    std::string type(unsigned char byte);

    bool is_whole() const { return whole_; }
    bool is_end() const { return end_; }
    const std::string& text() const { return text_; }

  private:
    std::string key(unsigned char byte);
    std::string add(char byte);
    std::string erase(std::size_t begin);
    void end_escape();

    std::string text_, escape_;
    bool pasting_ = false, after_return_ = false, whole_ = false, end_ = false;
};

}  // namespace kvsplit::cli
