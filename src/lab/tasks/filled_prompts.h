// Prompts of a given length, filled with pieces of text, and questions about what they contain.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lab/eval.h"
#include "lab/tasks/filler.h"
#include "lab/tasks/question.h"

namespace kvsplit::lab {

// What a prompt is filled with, and the tokens up to the end of each piece.
struct Pieces {
    std::vector<std::string> texts;
    std::vector<int> ends;

    int total() const { return ends.empty() ? 0 : ends.back(); }
    // The number of pieces before `depth` of the text.
    std::size_t before(double depth) const;
};

// One prompt, or several with the same filler.
struct FilledPrompt {
    struct Asked {
        Question question;
        double depth;
    };
    Filler filler;
    std::string_view separator;  // between pieces
    // Makes the questions about the pieces, in order; none if there are too few pieces.
    std::function<std::vector<Asked>(const Pieces&)> ask;
};

struct FilledOptions {
    int items = 0;               // per context
    std::vector<int> contexts;   // tokens, ascending
    std::vector<double> depths;  // ascending
    std::uint64_t seed = 1;
    std::size_t most_pieces = 0;  // before the filler repeats itself; 0: it never does
};

// Appends options.items questions for each context. make() gets its own random stream for each prompt, so the
// first questions do not depend on their number. Throws Error(kInvalidArgument) if a context is too small for
// the questions, or the filler for the context.
void add_filled_items(Task& task, const Model& model, const FilledOptions& options,
                      const std::function<FilledPrompt(Random)>& make, const TaskCallback& callback);

}  // namespace kvsplit::lab
