// The output of `kvsplit perplexity`: tables, and the JSON object described in docs/cli.md.
#pragma once

#include <string>

#include "cli/output.h"
#include "lab/perplexity.h"

namespace kvsplit::cli {

// Facts about a run that the report lacks.
struct MeasuredRun {
    std::string model, text;        // the paths as given
    std::string base;               // empty: none
    int context = 0;                // tokens per chunk
    int activation_bits = 16;       // 8, 16, or 32 for exact arithmetic
    int base_activation_bits = 16;  // likewise, if there is a base
    std::size_t cache_bytes = 0;    // of all caches together
};

// At most 120 columns wide, except for extreme figures.
std::string perplexity_tables(const lab::PerplexityReport& report, const MeasuredRun& run);
Json perplexity_json(const lab::PerplexityReport& report, const MeasuredRun& run);

}  // namespace kvsplit::cli
