// Measures each cache precision: divergence on a text, memory and speed. Works in pieces, so an interrupted
// comparison can be continued.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "lab/compare_results.h"

namespace kvsplit::lab {

// How much to measure.
enum class CompareEffort { kQuick, kNormal, kFull };
CompareSettings compare_settings(CompareEffort effort);

// The precisions of an effort, in the syntax of `--kv`.
std::string_view compare_precisions(CompareEffort effort);

struct CompareHooks {
    // Loads the model. Called again only after the previous model was released.
    std::function<std::shared_ptr<Model>(bool exact)> load;
    // Gets the fraction done of this run, in [0, 1], and the current activity. Returning false stops after
    // saving.
    std::function<bool(double fraction, std::string_view doing)> progress;
    // Called with new results after each piece, and with an unfinished piece when stopped.
    std::function<void(const CompareResults&)> save;
};

// Fits the settings to a model and a text: drops contexts beyond the model's own, precisions that its heads
// do not support, and chunks beyond the text's end, each with a note in `results`. Throws
// Error(kInvalidArgument) if nothing is left to measure or settings are invalid.
void fit_settings(CompareResults& results, const Model& model, std::string_view text);

// Measures what `results` still lacks. Call fit_settings() first. Returns false if `progress` stopped it.
bool run_compare(CompareResults& results, std::string_view text, const CompareHooks& hooks);

// 64-bit hashes that identify a text and a model's file (of a file only its size, beginning and end).
std::string hash_text(std::string_view text);
std::string hash_file(const std::string& path);

}  // namespace kvsplit::lab
