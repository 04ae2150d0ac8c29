// AnswerPrinter: prints an answer on stdout, with its reasoning if wanted.
#pragma once

#include <string_view>

#include "cli/options.h"
#include "text/answer_splitter.h"

namespace kvsplit::cli {

// Reasoning is dimmed on a terminal, and an empty line separates it from the content. Not thread-safe.
class AnswerPrinter {
  public:
    explicit AnswerPrinter(ShowReasoning reasoning);
    // False: the reader has gone. Throws Error(kIo) if stdout cannot be written.
    bool print(text::AnswerPart part, std::string_view text);
    // Ends an answer; call before printing anything else.
    bool finish();

  private:
    bool shown_, dim_;
    bool in_reasoning_ = false;
};

}  // namespace kvsplit::cli
