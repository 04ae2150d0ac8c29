// What `kvsplit perplexity` prints: the tables, and the JSON object that docs/cli.md describes.
#pragma once

#include <string>

#include "cli/output.h"
#include "lab/perplexity.h"

namespace kvsplit::cli {

// What a report does not say of itself.
struct MeasuredRun {
    std::string model, text;        // the paths as given
    std::string base;               // empty: none
    int context = 0;                // tokens per chunk
    int activation_bits = 16;       // 8, 16, or 32 for exact arithmetic
    int base_activation_bits = 16;  // likewise, where there is a base
    std::size_t cache_bytes = 0;    // of all caches together
};

// Up to 120 columns wide, but for extraordinary figures.
std::string perplexity_tables(const lab::PerplexityReport& report, const MeasuredRun& run);
Json perplexity_json(const lab::PerplexityReport& report, const MeasuredRun& run);

}  // namespace kvsplit::cli
