// The files of tasks that are not generated. Every byte of them is hostile: what does not fit throws
// Error(kFormat) with the file's name and the line.
#pragma once

#include <string_view>
#include <vector>

#include "lab/tasks/question.h"

namespace kvsplit::lab {

// llama.cpp's format for --hellaswag, six lines a question: what happened so far, the index of the right
// ending, and four endings.
std::vector<Question> parse_hellaswag(std::string_view text, std::string_view name);

// LAMBADA as JSON lines, {"text": passage}: its last word, from the last space on, is to be predicted.
std::vector<Question> parse_lambada(std::string_view text, std::string_view name);

}  // namespace kvsplit::lab
