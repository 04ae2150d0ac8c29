// Measures what each cache precision costs: divergence on a text, memory, and speed. Done piece by piece, so
// that an interrupted comparison can go on.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "lab/compare_results.h"

namespace kvsplit::lab {

// How much is measured.
enum class CompareEffort { kQuick, kNormal, kFull };
CompareSettings compare_settings(CompareEffort effort);

// The precisions of an effort, as `--kv` takes them.
std::string_view compare_precisions(CompareEffort effort);

struct CompareHooks {
    // The model, for measuring; called anew after the one before was let go.
    std::function<std::shared_ptr<Model>(bool exact)> load;
    // fraction of what is left to measure, in [0, 1], and what is being done. False stops in order.
    std::function<bool(double fraction, std::string_view doing)> progress;
    // There is something new: called after each piece, and with unfinished ones when stopped.
    std::function<void(const CompareResults&)> save;
};

// Makes settings fit a model and a text: leaves out, with a note in `results`, contexts that the model was
// not made for, precisions that its heads cannot take, and chunks that the text does not have. Throws
// Error(kInvalidArgument) where nothing is left to measure, or settings have no meaning.
void fit_settings(CompareResults& results, const Model& model, std::string_view text);

// Measures all that `results` lacks. Settings must have been fitted. Returns false when stopped by
// `progress`.
bool run_compare(CompareResults& results, std::string_view text, const CompareHooks& hooks);

// What identifies the model's file and a text; two of them differ if the contents do (to the degree that a
// 64-bit hash can tell; of a file its size, beginning and end count).
std::string hash_text(std::string_view text);
std::string hash_file(const std::string& path);

}  // namespace kvsplit::lab
