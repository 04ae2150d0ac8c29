#include "cli/answer_printer.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "cli/output.h"
#include "cli/terminal.h"

namespace kvsplit::cli {
namespace {

constexpr std::string_view kDim = "\033[2m", kNormal = "\033[0m";

bool has_styles() {
    const char* no_color = std::getenv("NO_COLOR");
    return can_erase_lines(STDOUT_FILENO) && (!no_color || *no_color == '\0');
}

}  // namespace

AnswerPrinter::AnswerPrinter(ShowReasoning reasoning)
    : shown_(reasoning == ShowReasoning::kAlways ||
             (reasoning == ShowReasoning::kOnTerminals && stdout_is_terminal())),
      dim_(has_styles()) {}

bool AnswerPrinter::print(text::AnswerPart part, std::string_view text) {
    if (part == text::AnswerPart::kReasoning) {
        if (!shown_) return true;
        if (dim_ && !in_reasoning_ && !write_out(kDim)) return false;
        in_reasoning_ = true;
    } else if (in_reasoning_ && !(finish() && write_out("\n\n"))) {
        return false;
    }
    return write_out(text);
}

bool AnswerPrinter::finish() {
    const bool end = in_reasoning_ && dim_;
    in_reasoning_ = false;
    return !end || write_out(kNormal);
}

}  // namespace kvsplit::cli
