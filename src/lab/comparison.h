// Comparison: the statistics of one cache against the 16-bit one, over any number of scored tokens.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace kvsplit::lab {

// One scored position, seen through one cache.
struct TokenScore {
    double nll = 0;  // -ln P(the token that came), nats
};

// The same position against the reference.
struct TokenDifference {
    double kld = 0;         // KL(reference || this), nats
    double nll_change = 0;  // this minus reference, nats
    double p_change = 0;    // P(the token that came): this minus reference
    bool same_top = false;  // both find the same token most likely
};

// Mean over tokens, and the standard error of that mean.
struct Mean {
    double value = 0;
    double stderr_ = 0;
};

struct Divergence {
    double ppl_change_pct = 0;         // of the perplexity, from the mean paired difference of nll
    double ppl_change_stderr_pct = 0;  // paired: the text's own variance is out
    double kld_mean = 0, kld_stderr = 0, kld_median = 0, kld_p99 = 0, kld_p999 = 0;  // nats
    double top1_agreement = 0;                                                       // fraction, 0 to 1
    double rms_dp = 0;  // root mean square change of P(the token that came), 0 to 1
};

class Comparison {
  public:
    void add(const TokenScore& score);
    void add(const TokenScore& score, const TokenDifference& difference);

    std::size_t count() const { return nll_.count; }
    Mean nll() const { return nll_.mean(); }
    Mean perplexity() const;
    // Nothing unless every token came with a difference.
    std::optional<Divergence> divergence() const;

  private:
    // Welford's update: no cancellation however many tokens.
    struct Moments {
        std::size_t count = 0;
        double average = 0, squares = 0;
        void add(double x);
        Mean mean() const;
    };

    Moments nll_, nll_change_, kld_;
    double p_change_squares_ = 0;
    std::size_t same_top_ = 0;
    std::vector<float> klds_;  // one per token, for the quantiles
};

}  // namespace kvsplit::lab
