// Two measurements that must agree in every bit.
#pragma once

#include <gtest/gtest.h>

#include "lab/perplexity.h"

namespace kvsplit::lab {

inline void expect_same(const PerplexityReport& a, const PerplexityReport& b) {
    EXPECT_EQ(a.tokens_scored, b.tokens_scored);
    ASSERT_EQ(a.results.size(), b.results.size());
    for (std::size_t i = 0; i < a.results.size(); ++i) {
        SCOPED_TRACE(a.results[i].spec.name());
        EXPECT_EQ(a.results[i].nll.value, b.results[i].nll.value);
        const auto &x = a.results[i].vs_f16, &y = b.results[i].vs_f16;
        ASSERT_TRUE(x.has_value() && y.has_value());
        EXPECT_EQ(x->ppl_change_pct, y->ppl_change_pct);
        EXPECT_EQ(x->kld_mean, y->kld_mean);
        EXPECT_EQ(x->kld_median, y->kld_median);
        EXPECT_EQ(x->kld_p999, y->kld_p999);
        EXPECT_EQ(x->top1_agreement, y->top1_agreement);
        EXPECT_EQ(x->rms_dp, y->rms_dp);
    }
}

}  // namespace kvsplit::lab
