// Reads the files of tasks that are not generated. Their contents are untrusted: damage throws Error(kFormat)
// with file name and line.
#pragma once

#include <string_view>
#include <vector>

#include "lab/tasks/question.h"

namespace kvsplit::lab {

// llama.cpp's format for --hellaswag, six lines per question: the context, the index of the right ending, and
// four endings.
std::vector<Question> parse_hellaswag(std::string_view text, std::string_view name);

// LAMBADA as JSON lines, {"text": passage}: the last word, from the last space on, is the answer.
std::vector<Question> parse_lambada(std::string_view text, std::string_view name);

}  // namespace kvsplit::lab
