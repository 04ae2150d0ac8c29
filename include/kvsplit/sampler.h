// Sampler: picks the next token from logits.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kvsplit/model.h"

namespace kvsplit {

struct SamplingOptions {
    float temperature = 0.0f;  // 0: the most likely token
    int top_k = 40;            // 0: off
    float top_p = 0.95f;       // 1: off
    float min_p = 0.05f;       // 0: off
    // Divides positive logits of the last repeat_last tokens and multiplies negative ones; 1: off.
    float repeat_penalty = 1.0f;
    int repeat_last = 64;
    std::uint64_t seed = 0;  // the same seed, logits and options draw the same tokens on every machine
};

// Not thread-safe.
class Sampler {
  public:
    explicit Sampler(const SamplingOptions& options);
    // Order: repeat penalty, top-k, top-p, min-p, temperature, draw.
    Token sample(std::span<const float> logits);
    // Adds a token to the repeat penalty's history: call for each token of the prompt and each sampled one.
    void accept(Token token);

  private:
    SamplingOptions options_;
    std::vector<Token> recent_;
    std::uint64_t state_;
};

}  // namespace kvsplit
