// Reads the goldens of scripts/oracles/logits_transformers.py, which documents their layout.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvsplit::test {

// Logits of transformers, with keys and values in f32. Measured positions are first .. tokens.size() - 1; n
// is their number.
struct LogitsGolden {
    int first = 0;
    int n_vocab = 0;
    int n_top = 0;
    std::vector<std::int32_t> tokens;
    std::vector<std::int32_t> fixed_ids;       // (n_fixed) spread over the vocabulary
    std::vector<std::int32_t> full_positions;  // (n_full)
    std::vector<float> logsumexp;              // (n)
    std::vector<std::int32_t> top_ids;         // (n, n_top) most likely first
    std::vector<float> top;                    // (n, n_top) their logits
    std::vector<float> fixed;                  // (n, n_fixed) logits of fixed_ids
    std::vector<float> full;                   // (n_full, n_vocab)

    int measured() const { return static_cast<int>(tokens.size()) - first; }
};

// Throws Error where the file is missing or is not such a golden.
LogitsGolden read_logits_golden(const std::string& path);

}  // namespace kvsplit::test
