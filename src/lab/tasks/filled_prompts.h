// Prompts of a given length, filled with pieces of text, and questions about what stands in them.
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
    // How many pieces stand before `depth` of the text.
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
    // The questions about a filling, in order; none if the pieces are too few for them.
    std::function<std::vector<Asked>(const Pieces&)> ask;
};

struct FilledOptions {
    int items = 0;               // per context
    std::vector<int> contexts;   // tokens, ascending
    std::vector<double> depths;  // ascending
    std::uint64_t seed = 1;
    std::size_t most_pieces = 0;  // that the filler has before it begins again; 0: it has no end
};

// Appends options.items questions for each context. make() is called for each prompt with a stream of its
// own: the first questions do not depend on how many there are. Throws Error(kInvalidArgument) where a
// context is too small for the questions or the filler for the context.
void add_filled_items(Task& task, const Model& model, const FilledOptions& options,
                      const std::function<FilledPrompt(Random)>& make, const TaskCallback& callback);

}  // namespace kvsplit::lab
