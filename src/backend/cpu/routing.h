// Chooses the experts of a token.
#pragma once

#include "backend/mixture.h"

namespace kvsplit::cpu {

struct ChosenExpert {
    int expert;
    float weight;
};

// logits: (n_experts) of one token; bias: as in Mixture. chosen: (n_used), best first; of equal ones the
// first wins. No expert is chosen twice, even if logits are NaN. scratch: (2 n_experts).
void route(const Routing& routing, const float* logits, const float* bias, float* scratch,
           ChosenExpert* chosen);

}  // namespace kvsplit::cpu
