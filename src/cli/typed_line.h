// A line that is typed at a terminal without a line editor: what each byte does to it, and what to show.
#pragma once

#include <cstddef>
#include <string>

namespace kvsplit::cli {

// Backspace takes a character back, Ctrl-U all of them, Ctrl-D on an empty line ends the input. What is
// pasted (between the marks of bracketed paste) may have several lines. Other keys are ignored.
class TypedLine {
  public:
    // What the terminal shall show for the byte.
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
