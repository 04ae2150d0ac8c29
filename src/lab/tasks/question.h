// Question: a task's item as text, and how it becomes tokens.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kvsplit/model.h"
#include "lab/eval.h"

namespace kvsplit::lab {

struct Question {
    std::string place;                 // for messages: "questions.txt:7", or the number of a generated one
    std::string prompt;                // ends without a space
    std::vector<std::string> answers;  // each begins with a space
    int right = 0;
    std::size_t evidence_end = std::string::npos;  // bytes of the prompt up to the end of the evidence
};

// The answers are tokenised together with the prompt, since a token may span the border. As in
// llama-perplexity, several answers begin where they first differ: words shared by all are not scored. A
// single answer begins where the prompt's own tokens end. Throws Error(kInvalidArgument) if nothing comes
// before an answer.
TaskItem tokenize_question(const Model& model, const Question& question);

}  // namespace kvsplit::lab
