// AnswerPrinter: an answer on stdout, with its reasoning where that is wanted.
#pragma once

#include <string_view>

#include "cli/options.h"
#include "text/answer_splitter.h"

namespace kvsplit::cli {

// Reasoning is dimmed on a terminal, and an empty line separates it from the content. Not thread-safe.
class AnswerPrinter {
  public:
    explicit AnswerPrinter(ShowReasoning reasoning);
    // False: nobody reads any more. Throws Error(kIo) where stdout cannot be written.
    bool print(text::AnswerPart part, std::string_view text);
    // Of an answer; before anything else is printed.
    bool finish();

  private:
    bool shown_, dim_;
    bool in_reasoning_ = false;
};

}  // namespace kvsplit::cli
