// The default length of a measurement's chunks, shortened to what the models and the text allow.
#pragma once

#include <string>
#include <string_view>

#include "kvsplit/model.h"

namespace kvsplit::lab {

struct FittingContext {
    int tokens = 0;
    std::string why;  // "the model was made for no more"; empty if `tokens` is what was wanted
};

// At most `wanted` tokens, at most the models' context lengths, and short enough for `chunks` chunks of the
// text (0: one). base may be null.
FittingContext fitting_context(const Model& model, const Model* base, std::string_view text, int chunks,
                               int wanted);

}  // namespace kvsplit::lab
