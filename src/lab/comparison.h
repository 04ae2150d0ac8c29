// Comparison: statistics of one run against another over any number of scored tokens, and which of them are
// within the noise of a harmless change.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace kvsplit::lab {

// Mean over tokens, and the standard error of that mean.
struct Mean {
    double value = 0;
    double stderr_ = 0;
};

// Welford's algorithm: no cancellation for any number of values.
class RunningMean {
  public:
    void add(double x);
    std::size_t count() const { return count_; }
    Mean mean() const;

  private:
    std::size_t count_ = 0;
    double average_ = 0, squares_ = 0;
};

// e^nll with its standard error; nll is the mean of -ln P, in nats.
Mean perplexity(const Mean& nll);

// One scored position against the same position of the reference.
struct TokenDifference {
    double kld = 0;         // KL(reference || this), nats
    double nll_change = 0;  // this minus reference, nats
    double p_change = 0;    // P(the token that came): this minus reference
    bool same_top = false;  // both find the same token most likely
};

struct Divergence {
    double ppl_change_pct = 0;         // of the perplexity, from the mean paired difference of nll
    double ppl_change_stderr_pct = 0;  // paired: without the text's own variance
    double kld_mean = 0, kld_stderr = 0, kld_median = 0, kld_p99 = 0, kld_p999 = 0;  // nats
    double top1_agreement = 0;                                                       // fraction, 0 to 1
    double rms_dp = 0;  // root mean square change of P(the token that came), 0 to 1
};

// Figures of a divergence that cannot be told from noise.
struct BelowFloor {
    bool ppl_change = false;
    bool kld_mean = false, kld_median = false, kld_p99 = false, kld_p999 = false;
    bool top1_agreement = false;
    bool rms_dp = false;
};

class Comparison {
  public:
    void add(const TokenDifference& difference);
    std::size_t count() const { return kld_.count(); }

    // nullopt if no token was added.
    std::optional<Divergence> divergence() const;

    // Which figures do not exceed those of `floor`, a harmless change, by two standard errors of the
    // difference; for the change of perplexity, whether it is within two of its own standard errors of 0.
    // Both must have tokens.
    BelowFloor below(const Comparison& floor) const;

  private:
    RunningMean nll_change_, kld_, p_change_squared_, same_top_;
    std::vector<float> klds_;  // one per token, for the quantiles
};

}  // namespace kvsplit::lab
