// Scores of one row of logits: the probability of the actual next token, and the divergence from another row.
//
// Logits stay float; sums are double. The order of every sum is fixed, so results depend neither on the
// instruction set nor on the threads.
#pragma once

#include <span>

#include "kvsplit/model.h"

namespace kvsplit::lab {

struct RowScore {
    double log_sum_exp = 0;  // ln of the sum over the vocabulary of e^logit
    double nll = 0;          // -ln P(target), nats
    Token top = 0;           // the most likely token; the lowest id among equals
};

// logits: (n_vocab), target in [0, n_vocab). A NaN among the logits makes nll NaN.
RowScore score_row(std::span<const float> logits, Token target);

// KL(reference || other) in nats of two rows (n_vocab), given their scores.
double divergence(std::span<const float> reference, const RowScore& reference_score,
                  std::span<const float> other, const RowScore& other_score);

}  // namespace kvsplit::lab
