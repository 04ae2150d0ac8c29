// Which experts a token takes.
#pragma once

#include "backend/mixture.h"

namespace kvsplit::cpu {

struct ChosenExpert {
    int expert;
    float weight;
};

// logits: (n_experts) of one token; bias: as in Mixture. chosen: (n_used), the best first, of two equal ones
// the first; no expert twice, whatever the logits are. scratch: (2 n_experts).
void route(const Routing& routing, const float* logits, const float* bias, float* scratch,
           ChosenExpert* chosen);

}  // namespace kvsplit::cpu
