// Question: a task's item as text, and how it becomes tokens.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kvsplit/model.h"
#include "lab/eval.h"

namespace kvsplit::lab {

struct Question {
    std::string place;                 // "questions.txt:7", or which of the generated ones: for messages
    std::string prompt;                // ends without a space
    std::vector<std::string> answers;  // each begins with what divides it from the prompt, a space
    int right = 0;
    std::size_t evidence_end =
        std::string::npos;  // bytes of the prompt up to the end of what the answer needs
};

// The answers are tokenised together with the prompt, since a tokenizer may join what stands at the border.
// As in llama-perplexity, several answers begin where they differ first: words that all share are no choice.
// A single one begins where the prompt's own tokens end.
// Throws Error(kInvalidArgument) where nothing stands before an answer.
TaskItem tokenize_question(const Model& model, const Question& question);

}  // namespace kvsplit::lab
